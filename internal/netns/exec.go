package netns

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// Output runs a command in the namespace at path ("": the caller's own) and
// returns what it wrote to its standard output, also if it fails. The error has
// the command line, how it ended, and what it wrote to its standard error.
// Unlike ip netns exec it enters no mount namespace: /sys stays the caller's.
func Output(ctx context.Context, path string, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := Start(path, cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		err = fmt.Errorf("run %s: %w", strings.Join(argv, " "), err)
		if said := strings.TrimSpace(stderr.String()); said != "" {
			err = fmt.Errorf("%w: %s", err, said)
		}
	}
	return stdout.String(), err
}

// Start starts cmd in the namespace at path ("": the caller's own).
func Start(path string, cmd *exec.Cmd) error {
	if path == "" {
		return cmd.Start()
	}
	return Do(path, cmd.Start)
}
