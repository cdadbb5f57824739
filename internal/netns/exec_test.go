package netns_test

import (
	"errors"
	"io/fs"
	"os/exec"
	"strings"
	"testing"

	"weft/internal/netns"
	"weft/internal/testenv"
)

func TestOutput(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "cat", "sh")
	ns := testenv.Namespace(t)
	out, err := netns.Output(t.Context(), ns, "cat", "/proc/net/dev")
	if err != nil || strings.Count(out, "\n") != 3 || !strings.Contains(out, "lo:") {
		t.Errorf("want two lines of heading and lo, got %q, %v", out, err)
	}
	out, err = netns.Output(t.Context(), ns, "sh", "-c", "echo out; echo bad >&2; exit 3")
	if want := "run sh -c echo out; echo bad >&2; exit 3: exit status 3: bad"; out != "out\n" || err == nil || err.Error() != want {
		t.Errorf("want out and %q, got %q, %v", want, out, err)
	}
	if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("want exit code 3, got %v", err)
	}
	if out, err := netns.Output(t.Context(), "", "echo", "here"); out != "here\n" || err != nil {
		t.Errorf("no namespace: got %q, %v", out, err)
	}
	if _, err := netns.Output(t.Context(), "/no/such", "true"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("namespace that is not there: got %v", err)
	}
}
