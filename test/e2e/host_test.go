package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"weft/internal/netns"
	"weft/lab"
)

// host is a host of the lab, with somebody at its terminal.
type host struct {
	*lab.Host
	s *session
	// daemon is the weftd that was started last, or nil.
	daemon *lab.Process
}

func (h *host) startServer(flags ...string) {
	h.s.t.Helper()
	p, err := h.s.weft.StartServer(h.s.t.Context(), h.Host, flags...)
	h.started(p, err)
}

// startAgent starts an agent; the token is "" when the node has joined before.
func (h *host) startAgent(token string) {
	h.s.t.Helper()
	p, err := h.s.weft.StartAgent(h.s.t.Context(), h.Host, token)
	h.started(p, err)
}

func (h *host) started(p *lab.Process, err error) {
	h.s.t.Helper()
	if err != nil {
		h.s.t.Fatal(err)
	}
	h.daemon = p
}

// kill kills the daemon, as a crash would.
func (h *host) kill() {
	h.s.t.Helper()
	if err := h.daemon.Kill(); err != nil {
		h.s.t.Fatal(err)
	}
}

// restart starts again what ran here.
func (h *host) restart() {
	h.s.t.Helper()
	if h == h.s.a {
		h.startServer()
	} else {
		h.startAgent("")
	}
}

func (h *host) showLog() {
	if h == nil || h.daemon == nil {
		return
	}
	text, err := h.daemon.Output()
	if err != nil {
		text = err.Error()
	}
	h.s.t.Logf("weftd on host %s says:\n%s", h.Name(), text)
}

// weft runs a weft command, which has to succeed, and returns what it prints.
// No word of a command has a blank in it.
func (h *host) weft(command string, args ...any) string {
	h.s.t.Helper()
	did := h.try(command, args...)
	if did.code != 0 {
		h.s.t.Fatal(did)
	}
	return did.stdout
}

// read runs a weft command with -o json, and takes in what it prints.
func (h *host) read(into any, command string, args ...any) {
	h.s.t.Helper()
	text := h.weft(command+" -o json", args...)
	if err := json.Unmarshal([]byte(text), into); err != nil {
		h.s.t.Fatalf("weft %s: %v in %s", fmt.Sprintf(command, args...), err, text)
	}
}

// try runs a weft command, whatever comes of it. It may be called from any goroutine.
func (h *host) try(command string, args ...any) outcome {
	words := strings.Fields(fmt.Sprintf(command, args...))
	return h.finish(h.s.weft.Command(h.Host, "weft", words...))
}

// finish runs a command on the host to its end.
func (h *host) finish(cmd *exec.Cmd) outcome {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := netns.Start(h.Path(), cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(&stderr, err)
	}
	return outcome{strings.Join(cmd.Args, " "), cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// outcome is how a command ended. The exit code is -1 if it did not start or was killed.
type outcome struct {
	command        string
	code           int
	stdout, stderr string
}

func (o outcome) String() string {
	return fmt.Sprintf("%s\nexit code %d\n%s%s", o.command, o.code, o.stdout, o.stderr)
}

// refused fails the test unless the command ended with the exit code and one line,
// which says all of this.
func (o outcome) refused(t *testing.T, code int, says ...string) {
	t.Helper()
	if o.code != code || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("%v\nwant exit code %d and one line", o, code)
	}
	for _, words := range says {
		if !strings.Contains(o.stderr, words) {
			t.Errorf("%v\nwant it to say %q", o, words)
		}
	}
}

// warned fails the test unless the command did what it should and said this.
func (o outcome) warned(t *testing.T, says ...string) {
	t.Helper()
	if o.code != 0 {
		t.Fatal(o)
	}
	for _, words := range says {
		if !strings.Contains(o.stderr, words) {
			t.Errorf("%v\nwant it to say %q", o, words)
		}
	}
}

// saysAll returns nil if one line says all of it.
func saysAll(text string, words ...string) error {
lines:
	for line := range strings.Lines(text) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue lines
			}
		}
		return nil
	}
	return fmt.Errorf("no line says %q:\n%s", words, text)
}
