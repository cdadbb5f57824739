package probe

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"weft/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// anywhere is this test's own namespace, on whatever CPU.
var anywhere = Place{CPU: -1}

// serve starts a server on the loopback.
func serve(t *testing.T, address string) netip.AddrPort {
	t.Helper()
	s, err := Listen(anywhere, netip.MustParseAddrPort(address))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s.Address()
}

func dial(t *testing.T, to netip.AddrPort) *Session {
	t.Helper()
	s, err := Dial(t.Context(), anywhere, Options{Server: to, Span: 20 * time.Millisecond, Congestion: "reno"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Every measure finds its way, over both families, one after the other in one session.
func TestMeasures(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			s := dial(t, serve(t, address))
			for _, streams := range []int{1, 4} {
				got, err := s.Streams(streams)
				if err != nil || got.BitsPerSecond() <= 0 || got.Clock < s.Span {
					t.Errorf("%d streams: %+v, %v", streams, got, err)
				}
			}
			for _, size := range []int{MinPacket, 64, 1400} {
				got, err := s.PacketsAt(size, 5000)
				if err != nil || got.PerSecond() <= 0 || got.Received > got.Sent {
					t.Errorf("packets of %d bytes: %+v, %v", size, got, err)
				}
				if most := int64(5000 * s.Span.Seconds()); got.Sent > most {
					t.Errorf("sent %d packets, want at most %d", got.Sent, most)
				}
			}
			got, err := s.Transactions()
			if err != nil || got.PerSecond() <= 0 {
				t.Fatalf("transactions: %+v, %v", got, err)
			}
			if low, high := got.Percentile(0.5), got.Percentile(0.99); low <= 0 || low > high || high > got.Percentile(1) {
				t.Errorf("p50 %v, p99 %v", low, high)
			}
		})
	}
}

// What a server refuses ends no session.
func TestServerRefuses(t *testing.T) {
	t.Parallel()
	s := dial(t, serve(t, "127.0.0.1:0"))
	for want, measure := range map[string]func() error{
		"0 streams: want 1 to 64":                      func() error { _, err := s.Streams(0); return err },
		"65 streams":                                   func() error { _, err := s.Streams(65); return err },
		"packets of 7 bytes: want 8 to 65507":          func() error { _, err := s.PacketsAt(7, 0); return err },
		`unknown measure "weather"`:                    func() error { return s.ask(request{Measure: "weather"}, new(answer)) },
		"use congestion control no-such: no such file": func() error { s.Congestion = "no-such"; _, err := s.Streams(1); return err },
	} {
		if err := measure(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := s.Transactions(); err == nil {
		t.Error("a congestion control that is not there carries requests")
	}
	s.Congestion = "reno"
	if _, err := s.Transactions(); err != nil {
		t.Errorf("the session ended: %v", err)
	}
}

// Packets of something else that reach the receiver do not count.
func TestStragglersDoNotCount(t *testing.T) {
	t.Parallel()
	s := dial(t, serve(t, "127.0.0.1:0"))
	for name, r := range map[string]request{
		"another mark":  {Measure: measurePackets, Size: 64, Mark: 1},
		"another size":  {Measure: measurePackets, Size: 65, Mark: 2},
		"both are ours": {Measure: measurePackets, Size: 64, Mark: 2},
	} {
		a, _, err := s.measure(r, func(to netip.AddrPort) error {
			sent, err := s.sendPackets(to, 64, 2, 1000)
			if err == nil && sent == 0 {
				t.Error("nothing was sent")
			}
			return err
		})
		if err != nil || (a.Count > 0) != (name == "both are ours") {
			t.Errorf("%s: %d packets, %v", name, a.Count, err)
		}
	}
}

// A measurement ends, and says so, when the context does, or the other side.
func TestEnds(t *testing.T) {
	t.Parallel()
	server, err := Listen(anywhere, netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	s := dial(t, server.Address())
	if _, err := s.Transactions(); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := s.Transactions(); err == nil {
		t.Error("measured with a server that has ended")
	}
	if _, err := Dial(t.Context(), anywhere, Options{Server: server.Address()}); err == nil {
		t.Error("a server that has ended takes sessions")
	}
	if _, err := Dial(t.Context(), anywhere, Options{Span: 2 * time.Minute}); err == nil {
		t.Error("a session of two minutes' measurements began")
	}
}

// A session whose context has ended measures no more, and closes in silence.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	s, err := Dial(ctx, anywhere, Options{Server: serve(t, "127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := s.Transactions(); err == nil {
		t.Error("it goes on")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestAThreadStaysOnItsCPU(t *testing.T) {
	t.Parallel()
	if err := <-(Place{CPU: 0}).thread(func() error { return nil }); err != nil {
		t.Error(err)
	}
	if err := <-(Place{CPU: 1023}).thread(func() error { return nil }); err == nil {
		t.Error("a thread is on CPU 1023")
	}
}
