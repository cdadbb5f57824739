package trace

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
	"time"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// A datagram through two vxlan devices of the kernel's, captured on the underlay,
// decodes to what was configured and sent, and to what tshark says.
func TestCaptureKernelVXLAN(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		underlay, over string // both hosts', the last digit left out
		bits           int
		outer, inner   string // layers
	}{
		{"4-in-4", "192.0.2.", "10.7.0.", 24, IPv4, IPv4},
		{"6-in-4", "192.0.2.", "fd07::", 64, IPv4, IPv6},
		{"4-in-6", "2001:db8::", "10.7.0.", 24, IPv6, IPv4},
		{"6-in-6", "2001:db8::", "fd07::", 64, IPv6, IPv6},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			vni, port := 1+rand.IntN(int(overlay.MaxVNI)), 20000+rand.IntN(5000)
			w := newWire(t)
			for i, ns := range []string{w.a, w.b} {
				local, remote := c.underlay+strconv.Itoa(i+1), c.underlay+strconv.Itoa(2-i)
				testenv.Run(t, ns, "ip", "addr", "add", fmt.Sprintf("%s/%d", local, bits(local)), "dev", "u0", "nodad")
				testenv.Run(t, ns, "ip", "link", "add", "vx0", "address", fmt.Sprintf("02:00:00:00:00:0%d", i+1),
					"type", "vxlan", "id", strconv.Itoa(vni), "local", local, "remote", remote, "dev", "u0",
					"dstport", strconv.Itoa(port), "udp6zerocsumtx", "udp6zerocsumrx")
				testenv.Run(t, ns, "ip", "addr", "add", fmt.Sprintf("%s%d/%d", c.over, i+1, c.bits), "dev", "vx0", "nodad")
				testenv.Run(t, ns, "ip", "link", "set", "vx0", "addrgenmode", "none", "up")
			}
			capture := listen(t, w.b, Options{Ports: []uint16{uint16(port)}})
			sendDatagram(t, w.a, net.JoinHostPort(c.over+"2", "5000"), "hello")

			frames := takeUntil(t, capture, uint16(port), func(layers []Layer) bool {
				udp, ok := Find(layers, UDP, 1)
				return ok && udp.Value("destination port") == "5000"
			})
			layers := Decode(frames[len(frames)-1], uint16(port))
			for _, want := range []struct {
				layer        string
				n            int
				field, value string
			}{
				{c.outer, 0, "source", c.underlay + "1"}, {c.outer, 0, "destination", c.underlay + "2"},
				{VXLAN, 0, "vni", strconv.Itoa(vni)},
				{UDP, 0, "destination port", strconv.Itoa(port)},
				{Ethernet, 1, "source", "02:00:00:00:00:01"}, {Ethernet, 1, "destination", "02:00:00:00:00:02"},
				{c.inner, inside(c.outer, c.inner), "source", c.over + "1"},
				{c.inner, inside(c.outer, c.inner), "destination", c.over + "2"},
			} {
				l, ok := Find(layers, want.layer, want.n)
				if got := l.Value(want.field); !ok || got != want.value {
					t.Errorf("%s %d, %s: %q, want %q\n%s", want.layer, want.n, want.field, got, want.value,
						Text(layers, nil, TextOptions{}))
				}
			}
			for i, packet := range tshark(t, frames, uint16(port)) {
				for _, d := range differences(frames[i], packet, uint16(port)) {
					t.Errorf("frame %d: %s", i, d)
				}
			}
		})
	}
}

// inside is which of the layers of that name is the inner one.
func inside(outer, inner string) int {
	if outer == inner {
		return 1
	}
	return 0
}

// bits is the prefix length of the underlay's address.
func bits(addr string) int {
	if net.ParseIP(addr).To4() != nil {
		return 24
	}
	return 64
}

func sendDatagram(t *testing.T, ns, to, text string) {
	t.Helper()
	if err := netns.Do(ns, func() error {
		conn, err := net.Dial("udp", to)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write([]byte(text))
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// takeUntil takes frames until one decodes to what is looked for, which is the last.
func takeUntil(t *testing.T, c *Capture, port uint16, found func([]Layer) bool) [][]byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var frames [][]byte
	for f, err := range c.Frames(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, f.Data)
		if found(Decode(f.Data, port)) {
			return frames
		}
	}
	t.Fatalf("not among %d frames", len(frames))
	return nil
}
