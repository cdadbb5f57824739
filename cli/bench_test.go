package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"weft/bench/probe"
	"weft/internal/netns"
	"weft/internal/testenv"
)

// Both commands work in a namespace that they are told, over both families, and end
// when they are to.
func TestBench(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	testenv.Need(t, "ip")
	ns := testenv.Namespace(t)
	testenv.Run(t, ns, "ip", "link", "set", "lo", "up")
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan int, 1)
	var said, complaint bytes.Buffer
	go func() {
		served <- Run(ctx, []string{"bench", "serve", "netns:" + ns, "--time", "5m"}, strings.NewReader(""), &said, &complaint)
	}()
	defer func() {
		stop()
		if code := <-served; code != exitOK || !strings.Contains(said.String(), "answers at [::]:7717 for 5m0s") {
			t.Errorf("serve ended with %d: %s %s", code, said.String(), complaint.String())
		}
	}()
	testenv.Eventually(t, 10*time.Second, func() error { return listens(ns) }, "the server listens")

	weft := func(args ...string) (string, int) {
		var stdout, stderr bytes.Buffer
		code := Run(ctx, append([]string{"bench", "run", "netns:" + ns, "--time", "10ms"}, args...), strings.NewReader(""), &stdout, &stderr)
		return stdout.String() + stderr.String(), code
	}
	out, code := weft("127.0.0.1", "--rounds", "1")
	for _, want := range []string{"MEASURE", "TCP, 4 streams", "UDP, 1400 bytes", "p99"} {
		if code != exitOK || !strings.Contains(out, want) {
			t.Errorf("exit code %d, want %s:\n%s", code, want, out)
		}
	}
	out, code = weft("::1", "--rounds", "2", "-o", "json")
	var figures []figure
	if err := json.Unmarshal([]byte(out), &figures); err != nil || code != exitOK {
		t.Fatalf("exit code %d, %v:\n%s", code, err, out)
	}
	for _, f := range figures {
		if len(f.Rounds) != 2 || f.First > f.Median || f.Third < f.Median || f.Median < slices.Min(f.Rounds) {
			t.Errorf("%+v", f)
		}
	}
	if out, code := weft("127.0.0.1", "--congestion", "no-such"); code != exitFailure || !strings.Contains(out, "use congestion control no-such") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func listens(ns string) error {
	return netns.Do(ns, func() error {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", probe.DefaultPort))
		if err != nil {
			return err
		}
		return c.Close()
	})
}
