package kernel

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// A port that another program has is named with that program, in one line; nothing is left of
// the tunnel, all others are there, and it is as soon as the port is free.
func TestTunnelPortTaken(t *testing.T) {
	t.Parallel()
	p := newTunnelPair(t)
	var held net.PacketConn
	if err := netns.Do(p.a.ns, func() (err error) {
		held, err = new(net.ListenConfig).ListenPacket(t.Context(), "udp4", "192.0.2.1:4789")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	other := p.vxlan(func(s *overlay.TunnelSpec) { s.Port, s.Device, s.Addresses = 8472, "netb", nil })
	other.Name = "netb"
	state := tunnelState(p.vxlan(func(*overlay.TunnelSpec) {}), other)
	err := p.a.plane.Apply(t.Context(), state, nil)
	want := fmt.Sprintf("tunnel neta: UDP port 4789 of this host is held by process %d (kernel.test): stop it, or give the tunnel another port", os.Getpid())
	for _, err := range []error{err, p.a.plane.InTheWay(state.Tunnels)} {
		if err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
	if dataplane.ConcerningTunnel(err, "netb") != nil {
		t.Errorf("it concerns the other one, too: %v", err)
	}
	links := testenv.Output(t, p.a.ns, "ip", "-br", "link")
	if strings.Contains(links, "neta") || !strings.Contains(links, "netb") {
		t.Errorf("links\n%s", links)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	p.a.apply(state)
	p.a.tunnelsSettled()
	if err := p.a.plane.InTheWay(state.Tunnels); err != nil {
		t.Errorf("what is there is in the way of itself: %v", err)
	}
}
