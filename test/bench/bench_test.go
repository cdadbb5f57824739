// Package bench measures what Weft promises of its speed and memory, with the
// real programs on a lab's hosts. How fast Weft forwards is measured by bench/compare.
//
//	make bench PKG=./test/bench
package bench

import (
	"context"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"weft/internal/testenv"
	"weft/lab"
)

var bin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "weft-bench-")
	if err != nil {
		panic(err)
	}
	bin = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// world is a lab with Weft running on all its hosts.
type world struct {
	*lab.Lab
	weft    *lab.Weft
	daemons map[string]*lab.Process
}

// start builds the programs and a lab, and starts Weft on its hosts.
func start(b *testing.B) *world {
	b.Helper()
	testenv.NeedRoot(b)
	if err := testenv.BuildPrograms(bin); err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	l, err := lab.Build(ctx, lab.Demo(testenv.Name(b, "bench")))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := l.Close(context.WithoutCancel(ctx)); err != nil {
			b.Error(err)
		}
	})
	w := &world{Lab: l, weft: l.Weft(bin), daemons: map[string]*lab.Process{}}
	for i, h := range l.Hosts() {
		if i == 0 {
			w.daemons["a"], err = w.weft.StartServer(ctx, h)
		} else {
			token, tokenErr := w.weft.Token(ctx, l.Hosts()[0])
			if tokenErr != nil {
				b.Fatal(tokenErr)
			}
			w.daemons[h.Name()], err = w.weft.StartAgent(ctx, h, token)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return w
}

// run runs a weft command on a host.
func (w *world) run(b *testing.B, host string, args ...string) string {
	b.Helper()
	out, err := w.weft.Run(b.Context(), w.Host(host), args...)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// BenchmarkReady is the time from the start of weftd (server and agent, empty
// state) until both answer.
func BenchmarkReady(b *testing.B) {
	testenv.NeedRoot(b)
	for b.Loop() {
		b.StopTimer()
		w := start(b)
		h := w.Host("a")
		if err := w.daemons["a"].Stop(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if _, err := w.weft.StartServer(b.Context(), h); err != nil {
			b.Fatal(err)
		}
		w.run(b, "a", "status")
		b.StopTimer()
		if err := w.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkAttach is the time of `weft endpoint attach` as a user has it: the
// program's start, the server, and the port on the host.
func BenchmarkAttach(b *testing.B) {
	w := start(b)
	w.run(b, "a", "network", "create", "blue", "--subnet", "10.64.0.0/16", "--subnet6", "fd00:7::/64")
	var took []time.Duration
	n := 0
	for b.Loop() {
		n++
		b.StopTimer()
		ns, err := w.Host("a").Workload("w" + strconv.Itoa(n))
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		began := time.Now()
		w.run(b, "a", "endpoint", "attach", "blue", "--netns", ns.Path())
		took = append(took, time.Since(began))
	}
	report(b, took, "attach")
}

// BenchmarkReachable is the time from the return of an attach until the new
// endpoint answers a ping from a workload on each of the other hosts.
func BenchmarkReachable(b *testing.B) {
	w := start(b)
	w.run(b, "a", "network", "create", "blue", "--subnet", "10.64.0.0/16")
	askers := map[string]*lab.Namespace{}
	for _, h := range w.Hosts()[1:] {
		ns, err := h.Workload("asker")
		if err != nil {
			b.Fatal(err)
		}
		w.run(b, h.Name(), "endpoint", "attach", "blue", "--netns", ns.Path())
		askers[h.Name()] = ns
	}
	var took []time.Duration
	n := 0
	for b.Loop() {
		n++
		b.StopTimer()
		ns, err := w.Host("a").Workload("w" + strconv.Itoa(n))
		if err != nil {
			b.Fatal(err)
		}
		address := netip.AddrFrom4([4]byte{10, 64, byte(10 + n/250), byte(1 + n%250)})
		w.run(b, "a", "endpoint", "attach", "blue", "--netns", ns.Path(), "--ip", address.String())
		b.StartTimer()
		began := time.Now()
		for _, asker := range askers {
			// One process that asks every 2 ms until the first answer.
			if _, err := asker.Run(b.Context(), "ping", "-c", "1", "-i", "0.002", "-w", "5", address.String()); err != nil {
				b.Fatal(err)
			}
		}
		took = append(took, time.Since(began))
	}
	report(b, took, "reachable")
}

func report(b *testing.B, took []time.Duration, what string) {
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(took[len(took)/2]), what+"-p50-ms")
	b.ReportMetric(ms(took[len(took)*99/100]), what+"-p99-ms")
}
