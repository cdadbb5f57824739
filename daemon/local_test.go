package daemon

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weft/internal/testenv"
)

// TestLocalOnAMember: a host that has joined servers is not made what a file declares, which would
// take their networks away, also while no agent runs.
func TestLocalOnAMember(t *testing.T) {
	testenv.NeedRoot(t)
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, "node.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	d := &daemon{stdout: &out, stderr: &errs}
	root := d.command()
	root.SetArgs([]string{"local", "apply", "--node", "a", "--state-dir", state, "--run-dir", filepath.Join(dir, "run")})
	root.SetIn(strings.NewReader(`{}`))
	err := root.ExecuteContext(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "this host has joined servers (") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(state, "local.json")); err == nil {
		t.Error("it was declared all the same")
	}
}
