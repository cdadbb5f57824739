package daemon

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weft/internal/testenv"
)

// TestWarnOfMounts: one line in a mount namespace of one's own, none in the host's,
// nor when nobody can tell.
func TestWarnOfMounts(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	host := filepath.Join(t.TempDir(), "host")
	now, err := os.Readlink("/proc/thread-self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(now, host); err != nil {
		t.Fatal(err)
	}
	if text := warning(host); text != "" {
		t.Errorf("in the host's own: %q", text)
	}
	if text := warning(filepath.Join(t.TempDir(), "unreadable")); text != "" {
		t.Errorf("when it cannot be told: %q", text)
	}
	own := make(chan string)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its namespace
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			own <- err.Error()
			return
		}
		own <- warning(host)
	}()
	text := <-own
	if strings.Count(text, "\n") != 1 || !strings.Contains(text, "level=WARN") || !strings.Contains(text, "nsenter --net=") {
		t.Errorf("in one of its own: %q, want one line of warning", text)
	}
}

func warning(host string) string {
	var text bytes.Buffer
	warnOfMounts(slog.New(slog.NewTextHandler(&text, nil)), host)
	return text.String()
}
