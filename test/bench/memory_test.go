package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weft/bench"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/lab"
	"weft/overlay"
)

// remoteEndpoints is how many there are on another node for BenchmarkMemory, and
// memoryRuns how often all of it is done, from nothing each time.
const (
	remoteEndpoints = 10_000
	memoryRuns      = 5
)

// BenchmarkMemory is the resident memory of an agent and of a server (with a's
// agent beside it) that know 10,000 remote endpoints in a network they take part in:
// while these arrive, one by one, afterwards, and when the agent is started again. Peaks are the
// kernel's own (proc(5), VmHWM), so no moment is missed.
func BenchmarkMemory(b *testing.B) {
	for _, plane := range []overlay.PlaneName{overlay.PlaneKernel, overlay.PlaneEBPF} {
		b.Run(string(plane), func(b *testing.B) {
			for b.Loop() {
				m := &memory{b: b}
				for range memoryRuns {
					m.run(plane)
				}
				m.report()
			}
		})
	}
}

// memory is what was measured, in MiB.
type memory struct {
	b     *testing.B
	names []string
	sizes map[string][]float64
}

func (m *memory) note(what string, mib float64) {
	if m.sizes == nil {
		m.sizes = map[string][]float64{}
	}
	if _, known := m.sizes[what]; !known {
		m.names = append(m.names, what)
	}
	m.sizes[what] = append(m.sizes[what], mib)
}

// report prints all, of which the testing package would log the first lines only.
func (m *memory) report() {
	fmt.Println()
	for _, what := range m.names {
		sizes := m.sizes[what]
		median := bench.SpreadOf(sizes).Median
		m.b.ReportMetric(median, what+"-MiB")
		fmt.Printf("%-20s median %.1f MiB, %.1f to %.1f\n", what, median, slices.Min(sizes), slices.Max(sizes))
	}
}

// quiet is how long an agent is watched after it has done what was waited for, so that what it
// does then is measured too: it reports to the server, and saves what it knows.
const quiet = 6 * time.Second

// took notes the peak of a daemon since it started, and what it has when all is done.
func (m *memory) took(what string, p *lab.Process) {
	m.b.Helper()
	select {
	case <-time.After(quiet):
	case <-m.b.Context().Done():
		m.b.Fatal(m.b.Context().Err())
	}
	m.note(what+"-peak", kept(m.b, p, "VmHWM"))
	m.note(what+"-after", kept(m.b, p, "VmRSS"))
}

// run measures everything once.
func (m *memory) run(plane overlay.PlaneName) {
	b := m.b
	w := start(b)
	defer func() {
		if err := w.Close(context.WithoutCancel(b.Context())); err != nil {
			b.Error(err)
		}
	}()
	w.run(b, "a", "network", "create", "blue", "--subnet", "10.64.0.0/16", "--subnet6", "fd00:7::/64", "--plane", string(plane))
	ns, err := w.Host("b").Workload("w")
	if err != nil {
		b.Fatal(err)
	}
	w.run(b, "b", "endpoint", "attach", "blue", "--netns", ns.Path())
	m.note("idle", kept(b, w.daemons["b"], "VmRSS"))
	m.note("file", kept(b, w.daemons["b"], "RssFile"))
	// c's agent is gone: what is attached there is known everywhere and built nowhere.
	if err := w.daemons["c"].Kill(); err != nil {
		b.Fatal(err)
	}
	manifest := filepath.Join(b.TempDir(), "endpoints.yaml")
	if err := os.WriteFile(manifest, endpoints("c", remoteEndpoints), 0o600); err != nil {
		b.Fatal(err)
	}
	w.run(b, "a", "apply", "-f", manifest)
	last := w.last(b)
	await := func() { w.awaitEndpoints(b, plane, ns, last) }
	await()
	m.took("arriving", w.daemons["b"])
	m.note("server+agent-peak", kept(b, w.daemons["a"], "VmHWM"))
	m.note("server+agent", kept(b, w.daemons["a"], "VmRSS"))

	w.stop(b, "b")
	w.tamper(b, plane)
	w.restart(b, "b")
	await()
	m.took("restarted", w.daemons["b"])

	w.stop(b, "b")
	if err := w.weft.Down(b.Context(), w.Host("b")); err != nil {
		b.Fatal(err)
	}
	w.restart(b, "b")
	await()
	m.took("built-anew", w.daemons["b"])

	w.stop(b, "b")
	w.tamper(b, plane)
	w.stop(b, "a") // from the cache alone
	w.restart(b, "b")
	await()
	m.took("offline", w.daemons["b"])
}

// kept is a size from a process's status (proc(5)), in MiB.
func kept(b *testing.B, p *lab.Process, which string) float64 {
	b.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID()), "status"))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, which+":"); ok {
			n, err := strconv.ParseFloat(strings.Fields(kib)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return n / 1024
		}
	}
	b.Fatalf("no %s", which)
	return 0
}

// last is the endpoint that was applied last.
func (w *world) last(b *testing.B) (last overlay.Endpoint) {
	b.Helper()
	name := "v" + strconv.Itoa(remoteEndpoints-1)
	if err := json.Unmarshal([]byte(w.run(b, "a", "endpoint", "show", "blue/"+name, "-o", "json")), &last); err != nil {
		b.Fatal(err)
	}
	return last
}

// awaitEndpoints waits until host b knows all remote endpoints. The agent is not asked: its
// answer would count as its memory. The kernel is, or, on the eBPF plane, a workload is to be told the MAC
// of the last, which nobody but the programs can tell.
func (w *world) awaitEndpoints(b *testing.B, plane overlay.PlaneName, workload *lab.Namespace, last overlay.Endpoint) {
	b.Helper()
	known := func() error {
		out, err := netns.Output(b.Context(), w.domain(), "ip", "-o", "neigh", "show", "nud", "permanent")
		if n := strings.Count(out, "\n"); err != nil || n < 3*remoteEndpoints {
			return fmt.Errorf("%d neighbours on host b: %w", n, err)
		}
		return nil
	}
	if plane == overlay.PlaneEBPF {
		known = func() error { return resolves(b.Context(), workload, last) }
	}
	testenv.Eventually(b, time.Minute, known, "all endpoints to be known on host b")
}

// resolves returns nil when a workload has been told an endpoint's MAC; there is nobody to
// answer the ping itself.
func resolves(ctx context.Context, from *lab.Namespace, e overlay.Endpoint) error {
	address := e.Spec.Addresses[0].String()
	_, pinged := from.Run(ctx, "ping", "-c", "1", "-W", "1", address)
	out, err := from.Run(ctx, "ip", "neigh", "show", address)
	if err == nil && !strings.Contains(out, e.Spec.MAC.String()) {
		err = fmt.Errorf("%s is unknown in b's workload: %q, %w", address, out, pinged)
	}
	return err
}

// domain is the network's namespace on host b.
func (w *world) domain() string {
	return filepath.Join(w.Host("b").Dir(), "run", "netns", "weft-blue")
}

// tamper takes away what the agent has to repair when it has compared everything.
func (w *world) tamper(b *testing.B, plane overlay.PlaneName) {
	b.Helper()
	if plane == overlay.PlaneEBPF {
		return
	}
	testenv.Run(b, w.domain(), "ip", "neigh", "flush", "dev", "br0", "to", "10.64.0.0/24", "nud", "permanent")
}

func (w *world) stop(b *testing.B, host string) {
	b.Helper()
	if err := w.daemons[host].Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func (w *world) restart(b *testing.B, host string) {
	b.Helper()
	var err error
	if w.daemons[host], err = w.weft.StartAgent(b.Context(), w.Host(host), ""); err != nil {
		b.Fatal(err)
	}
}

// endpoints is a manifest of n endpoints on a host.
func endpoints(host string, n int) []byte {
	var text bytes.Buffer
	for i := range n {
		fmt.Fprintf(&text, "---\nkind: Endpoint\nnetwork: blue\nname: v%[1]d\nspec: {node: %[2]s, port: single, attach: {type: veth, target: v%[1]d}}\n", i, host)
	}
	return text.Bytes()
}
