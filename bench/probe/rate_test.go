package probe

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// bottleneck is a way that carries so many packets per second of those that are
// sent, and one in a hundred less when it has more to do; unbounded sending is at
// top.
type bottleneck struct {
	capacity, top float64
	tried         []float64
}

func (b *bottleneck) send(rate float64) (Packets, error) {
	b.tried = append(b.tried, rate)
	if rate == 0 || rate > b.top {
		rate = b.top
	}
	received := rate
	if rate > b.capacity {
		received = 0.99 * b.capacity
	}
	return Packets{Sent: int64(rate), Received: int64(received) + 1, Took: time.Second, Clock: time.Second}, nil
}

func TestSearchFindsTheCapacity(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		way := &bottleneck{capacity: rapid.Float64Range(1e3, 1e6).Draw(t, "capacity"), top: rapid.Float64Range(1e3, 2e6).Draw(t, "top")}
		got, err := search(0.01, way.send)
		if err != nil {
			t.Fatal(err)
		}
		want := min(way.capacity, way.top)
		if r := got.PerSecond(); r < 0.93*want || r > 1.011*want {
			t.Errorf("found %.0f, want %.0f; tried %.0f", r, want, way.tried)
		}
		if got.Lost() > 0.01 {
			t.Errorf("%.3f lost", got.Lost())
		}
	})
}

// A way that pushes back needs one trial.
func TestSearchIsShortWithoutLoss(t *testing.T) {
	t.Parallel()
	way := &bottleneck{capacity: 2e6, top: 1e6}
	if _, err := search(0.01, way.send); err != nil || len(way.tried) != 1 {
		t.Errorf("tried %v: %v", way.tried, err)
	}
}

func TestSearchGivesUp(t *testing.T) {
	t.Parallel()
	calls := 0
	_, err := search(0.01, func(float64) (Packets, error) {
		calls++
		return Packets{Sent: 100, Received: 50, Took: time.Second, Clock: time.Second}, nil
	})
	if err == nil || calls > trials+1 {
		t.Errorf("%d trials: %v", calls, err)
	}
	broken := errors.New("broken")
	if _, err := search(0.01, func(float64) (Packets, error) { return Packets{}, broken }); err != broken {
		t.Errorf("want the trial's error, got %v", err)
	}
}

func TestPacerKeepsTheRate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(100, 1e6).Draw(t, "rate")
		p := newPacer(rate)
		var sent int64
		for since := time.Duration(0); since < 100*time.Millisecond; since += time.Microsecond {
			n := p.due(since, sent)
			if n < 0 || n > batch {
				t.Fatalf("%d packets at once", n)
			}
			sent += int64(n)
		}
		if want := rate / 10; float64(sent) < 0.99*want-1 || float64(sent) > want {
			t.Errorf("%d packets in a tenth of a second at %.0f/s", sent, rate)
		}
	})
}

func TestParseBusy(t *testing.T) {
	t.Parallel()
	const stat = "cpu  1 2 4 1000 1000 8 16 32 64 128\ncpu0 0 0 0 0 0 0 0 0\n"
	if got, err := parseBusy(stat); err != nil || got != 630*time.Millisecond {
		t.Errorf("got %v, %v; want 630ms", got, err)
	}
	for _, bad := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8", "cpu 1 2 x 4 5 6 7 8"} {
		if _, err := parseBusy(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	tcp := Throughput{Bytes: 5e9, Took: 2 * time.Second, CPU: 3 * time.Second}
	if tcp.BitsPerSecond() != 20e9 || tcp.CPUPerGB() != 0.6 {
		t.Errorf("%g bit/s, %g s/GB", tcp.BitsPerSecond(), tcp.CPUPerGB())
	}
	udp := Packets{Sent: 200, Received: 100, Took: time.Second, Clock: 500 * time.Millisecond, CPU: 100 * time.Microsecond}
	if udp.PerSecond() != 100 || udp.Lost() != 0.5 || udp.CPUPerPacket() != time.Microsecond {
		t.Errorf("%g/s, %g lost, %v", udp.PerSecond(), udp.Lost(), udp.CPUPerPacket())
	}
	if udp.Clock = 2 * time.Second; udp.PerSecond() != 50 {
		t.Errorf("%g/s of packets that a receiver read late", udp.PerSecond())
	}
	if (Packets{}).PerSecond() != 0 || (Packets{}).Lost() != 0 || (Packets{}).CPUPerPacket() != 0 || (Transactions{}).Percentile(0.5) != 0 {
		t.Error("nothing is something")
	}
}
