package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weft/internal/testenv"
)

// atOnce is how many endpoints go together in BenchmarkDetach.
const atOnce = 500

// BenchmarkDetach is the time from the command that deletes 500 endpoints of a host
// until no port is left there, and how long an attach on that host takes meanwhile.
func BenchmarkDetach(b *testing.B) {
	w := start(b)
	w.run(b, "a", "network", "create", "blue", "--subnet", "10.64.0.0/16", "--subnet6", "fd00:7::/64")
	manifest := filepath.Join(b.TempDir(), "endpoints.yaml")
	if err := os.WriteFile(manifest, endpoints("b", atOnce), 0o600); err != nil {
		b.Fatal(err)
	}
	ports := func(want int) func() error {
		return func() error {
			out, err := w.Host("b").Run(b.Context(), "ip", "-o", "link", "show", "type", "veth")
			if n := strings.Count(out, ": v"); err != nil || n != want {
				return fmt.Errorf("%d ports on host b: %w", n, err)
			}
			return nil
		}
	}
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		w.run(b, "a", "apply", "-f", manifest)
		testenv.Eventually(b, time.Minute, ports(atOnce), "all ports to be there")
		guest, err := w.Host("b").Workload(fmt.Sprintf("guest%d", n))
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		deleted := make(chan error, 1)
		go func() {
			_, err := w.weft.Run(b.Context(), w.Host("a"), "delete", "-f", manifest)
			deleted <- err
		}()
		testenv.Eventually(b, time.Minute, func() error {
			if ports(atOnce)() == nil {
				return fmt.Errorf("all ports are there")
			}
			return nil
		}, "the first ports to go")
		began := time.Now()
		w.run(b, "b", "endpoint", "attach", "blue", "--netns", guest.Path())
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "attach-meanwhile-ms")
		if err := <-deleted; err != nil {
			b.Fatal(err)
		}
		testenv.Eventually(b, time.Minute, ports(0), "all ports to be gone")
	}
}
