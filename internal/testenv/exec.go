package testenv

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"weft/internal/netns"
)

// Run runs a command in a namespace ("": this process's own) and fails the test
// if the command does.
func Run(t testing.TB, ns string, argv ...string) {
	t.Helper()
	Output(t, ns, argv...)
}

// Output is [Run], and returns what the command wrote to its standard output. It
// may be called from a cleanup.
func Output(t testing.TB, ns string, argv ...string) string {
	t.Helper()
	out, err := Try(context.Background(), ns, argv...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Try runs a command in a namespace ("": this process's own) and returns its
// standard output, also if it fails. The error has the command line, how it
// ended, and what it wrote to its standard error.
func Try(ctx context.Context, ns string, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := start(ns, cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return stdout.String(), fmt.Errorf("run %s: %w: %s",
			strings.Join(argv, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

func start(ns string, cmd *exec.Cmd) error {
	if ns == "" {
		return cmd.Start()
	}
	return netns.Do(ns, cmd.Start)
}
