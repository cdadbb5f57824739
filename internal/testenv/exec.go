package testenv

import (
	"context"
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
	out, err := netns.Output(context.Background(), ns, argv...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
