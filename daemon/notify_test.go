package daemon

import (
	"net"
	"path/filepath"
	"testing"

	"weft/internal/testenv"
)

// TestReady tells a manager on a path and on an abstract socket; without one it is quiet.
func TestReady(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := ready(); err != nil {
		t.Error(err)
	}
	for _, socket := range []string{filepath.Join(t.TempDir(), "notify"), "@" + testenv.Name(t, "nfy")} {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("NOTIFY_SOCKET", socket)
		if err := ready(); err != nil {
			t.Error(err)
		}
		heard := make([]byte, 64)
		if n, err := l.Read(heard); err != nil || string(heard[:n]) != "READY=1" {
			t.Errorf("%s heard %q, %v", socket, heard[:n], err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := ready(); err == nil {
			t.Errorf("%s: told nobody, and no error", socket)
		}
	}
}
