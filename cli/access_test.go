package cli

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"weft/internal/testenv"
)

// nobody is the user who has nothing.
const nobody = 65534

// TestNotRoot runs weft as nobody: root's socket and root's credentials are
// refused, each with what to do.
func TestNotRoot(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	w, err := newWorld(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	}()
	weft, err := exec.LookPath("weft") // this test binary, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{w.dir, filepath.Dir(weft), filepath.Dir(filepath.Dir(weft))} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for want, args := range map[string][]string{
		"weft: ask agent at " + w.dir + "/agent.sock: permission denied; run it as root\n":                                                    {"plan"},
		"weft: credentials " + w.dir + "/admin.json: not allowed to read them; run this as root, or log in with a token (weft login TOKEN)\n": {"network", "ls"},
		"weft: weft lab demo makes network namespaces, which only root may; run it with sudo\n":                                               {"lab", "demo"},
	} {
		cmd := exec.CommandContext(t.Context(), weft, args...)
		cmd.Env = []string{"WEFT_RUN_DIR=" + w.dir, "WEFT_STATE_DIR=" + w.dir}
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		var stderr strings.Builder
		cmd.Stderr = &stderr
		var ended *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &ended) || ended.ExitCode() != exitRefused {
			t.Errorf("weft %s: %v, want exit code %d", strings.Join(args, " "), err, exitRefused)
		}
		if stderr.String() != want {
			t.Errorf("weft %s:\n%swant:\n%s", strings.Join(args, " "), stderr.String(), want)
		}
	}
}
