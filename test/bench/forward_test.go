package bench

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"weft/internal/testenv"
	"weft/lab"
	"weft/overlay"
)

// A probe measures a course, and what it costs.
type probe struct {
	name string
	run  func(course, time.Duration) (float64, error)
	// cost is what the machine's CPU time is worth a unit of, and scale what makes
	// it of CPU seconds per second and the probe's value; empty: it is no measure.
	cost  string
	scale float64
}

var probes = []probe{
	{"TCP, one stream: Gbit/s", probeTCP, "the same: CPU seconds per GB", 8},
	{"UDP, 64 bytes: 1000 packets/s", probeUDP, "the same: CPU µs per packet", 1000},
	{"round trip of one byte: µs", probeLatency, "", 0},
}

// measure takes all the measurements of a round, one right after the other,
// before the next round: what disturbs the machine for a while disturbs all
// courses. The order turns, so that none is always the first.
func measure(ctx context.Context, courses []course, rounds int, span time.Duration) ([]row, error) {
	var rows []row
	for _, p := range probes {
		value, cost := newRow(p.name, len(courses)), newRow(p.cost, len(courses))
		for round := range rounds {
			for i := range courses {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				at := (i + round) % len(courses)
				v, cpu, err := accounted(func() (float64, error) { return p.run(courses[at], span) })
				if err != nil {
					return nil, err
				}
				value.add(at, v)
				cost.add(at, cpu*p.scale/v)
			}
		}
		rows = append(rows, value)
		if p.cost != "" {
			rows = append(rows, cost)
		}
	}
	return rows, nil
}

// accounted runs f and adds the CPU time of the whole machine meanwhile, softirqs
// and all, in seconds per second: what f's packets cost when nothing else runs.
func accounted(f func() (float64, error)) (value, cpu float64, err error) {
	before, err := busy()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if value, err = f(); err != nil {
		return 0, 0, err
	}
	took := time.Since(began)
	after, err := busy()
	return value, (after - before).Seconds() / took.Seconds(), err
}

// busy is the time that all CPUs together were not idle since the machine
// started (proc(5), /proc/stat), in steps of 10 ms.
func busy() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 {
		return 0, fmt.Errorf("read /proc/stat: %q", line)
	}
	var ticks int64
	for i, f := range fields[1:9] { // user nice system idle iowait irq softirq steal
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read /proc/stat: %w", err)
		}
		if i != 3 && i != 4 {
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// BenchmarkForwarding measures bridged networks of Weft's, one on each plane, beside a bridge and a
// vxlan device made by hand, and beside plain routes, on the same hosts in the
// same run, and prints a table. It is of worth on a machine with nothing else
// to do; the table says how busy it was.
//
//	go test -run='^$' -bench=Forwarding -benchtime=1x ./test/bench
func BenchmarkForwarding(b *testing.B) {
	w := start(b)
	hosts := [2]*lab.Host{w.Host("a"), w.Host("b")}
	ctx := b.Context()
	var courses []course
	for _, plane := range []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel} {
		c, err := woven(ctx, w.weft, hosts, plane)
		if err != nil {
			b.Fatal(err)
		}
		courses = append(courses, c)
	}
	courses = append(courses, plainCourses(b, hosts)...)
	_, idle, err := accounted(func() (float64, error) { return 0, pause(ctx, time.Second) })
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		rows, err := measure(ctx, courses, forwardingRounds, 300*time.Millisecond)
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("median (quartiles) of %d rounds; CPUs busy with other things before: %.2f\n%s", forwardingRounds, idle, table(courses, rows))
	}
}

const forwardingRounds = 15

func plainCourses(t testing.TB, hosts [2]*lab.Host) []course {
	t.Helper()
	hand, err := byHand(t.Context(), hosts)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := routed(t.Context(), hosts)
	if err != nil {
		t.Fatal(err)
	}
	return []course{hand, plain}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestProbes holds that every probe finds its way on every course that needs no
// daemon, in a moment and without a word on speed.
func TestProbes(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	testenv.Need(t, "ip", "sysctl")
	l, err := lab.Build(t.Context(), lab.Demo(testenv.Name(t, "probe")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	hosts := [2]*lab.Host{l.Host("a"), l.Host("b")}
	courses := plainCourses(t, hosts)
	rows, err := measure(t.Context(), courses, 2, 10*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		for i, c := range courses {
			if len(r.values[i]) != 2 || strings.HasPrefix(r.name, "the same") {
				continue // CPU time is counted in steps longer than this
			}
			if slow, _, _ := quartiles(r.values[i]); slow <= 0 {
				t.Errorf("%s, %s: %v", r.name, c.name, r.values[i])
			}
		}
	}
	// And they notice when there is no way.
	if _, err := hosts[1].Run(t.Context(), "ip", "link", "set", "hand-vx", "down"); err != nil {
		t.Fatal(err)
	}
	if _, err := probeLatency(courses[0], 10*time.Millisecond); err == nil {
		t.Error("a course that is cut has a latency")
	}
}
