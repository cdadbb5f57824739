package interop

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"weft/encap"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// TestTooBig: workloads whose devices take more than fits into the tunnel, as those of virtual
// machines may, are told how much that is, by the gateway; and TCP, which has agreed on segments
// that are too large, goes on with smaller ones.
func TestTooBig(t *testing.T) {
	t.Parallel()
	for _, n := range append(carried, struct {
		kind          overlay.NetworkKind
		encapsulation overlay.Encapsulation
	}{overlay.Routed, overlay.EncapNone}) {
		t.Run(fmt.Sprintf("%s %s", n.kind, n.encapsulation), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, overlay.NetworkSpec{Kind: n.kind, Encapsulation: n.encapsulation, Underlay: overlay.V4})
			p.ours()
			for _, h := range p.hosts {
				testenv.Run(t, h.workload, "ip", "link", "set", "eth0", "mtu", fmt.Sprint(underlayMTU))
			}
			for _, f := range p.families {
				p.transfer(p.hosts[0], p.hosts[1], f)
				if n.encapsulation != overlay.EncapNone { // where as much fits as anywhere
					p.refused(t, f)
				}
			}
		})
	}
}

// ours has the eBPF plane forward for the first host, and for the second if no other of ours can.
func (p *pair) ours() {
	p.Helper()
	weft(overlay.PlaneEBPF)(p, p.hosts[0])
	if p.spec.Encapsulation == overlay.EncapVXLAN {
		weft(overlay.PlaneKernel)(p, p.hosts[1])
	} else {
		weft(overlay.PlaneEBPF)(p, p.hosts[1])
	}
}

// refused fails the test unless a ping as large as the device is answered with the network's
// MTU, by its gateway.
func (p *pair) refused(t *testing.T, f overlay.Family) {
	t.Helper()
	a, b := p.hosts[0], p.hosts[1]
	mtu, err := encap.PortMTU(p.spec.Encapsulation, p.spec.Kind, p.spec.Underlay, underlayMTU, f)
	if err != nil {
		t.Fatal(err)
	}
	gateway := ""
	for _, g := range p.network(a).Gateways {
		if overlay.FamilyOf(g.Addr()) == f {
			gateway = g.Addr().String()
		}
	}
	for _, version := range []string{"-4", "-6"} { // what the workload has learnt by now
		testenv.Run(t, a.workload, "ip", version, "route", "flush", "cache")
	}
	out, err := netns.Output(context.Background(), a.workload, "ping", "-n", "-c1", "-W5", "-Mdo",
		"-s", fmt.Sprint(underlayMTU-headersOf[f]), p.address(b, f).String())
	if err == nil || !strings.Contains(out, "From "+gateway+" ") || !strings.Contains(strings.ReplaceAll(out, "mtu = ", "mtu="), fmt.Sprintf("mtu=%d", mtu)) {
		t.Errorf("%s: want an answer of %s, MTU %d, got %v:\n%s", f, gateway, mtu, err, out)
	}
}

// TestLargestDatagrams: packets of 65,535 bytes pass in fragments, and a tunnel packet of that
// size, which the host puts together, is a member's or is not let in.
func TestLargestDatagrams(t *testing.T) {
	t.Parallel()
	for _, e := range []overlay.Encapsulation{overlay.EncapVXLAN, overlay.EncapGeneve} {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, overlay.NetworkSpec{Kind: overlay.Bridged, Encapsulation: e, Underlay: overlay.V4})
			a, b := p.hosts[0], p.hosts[1]
			p.ours()
			testenv.Run(t, a.workload, "ping", "-nq", "-c3", "-i0.2", "-W5", "-s", fmt.Sprint(65535-28), p.address(b, overlay.V4).String())
			workload := listen(t, a.workload, "eth0")
			stranger := b.underlay(overlay.V4).Addr().Next()
			b.run("ip", "address", "add", stranger.String()+"/24", "dev", "eth0")
			b.run("ip", "route", "flush", "cache")
			ends := packet.Ends{SrcMAC: b.mac(), DstMAC: a.mac(), Src: p.address(b, overlay.V4), Dst: p.address(a, overlay.V4)}
			whole := encap.Wrap(encap.Outer{
				Encapsulation: e, Src: stranger, Dst: a.underlay(overlay.V4).Addr(), DstPort: p.spec.Port, VNI: vni, Inner: packet.TypeTEB,
			}, ends.UDP(4000, 4001, make([]byte, 65507-100)))
			for _, from := range []netip.Addr{stranger, b.underlay(overlay.V4).Addr()} {
				b.send(from, netip.AddrPortFrom(a.underlay(overlay.V4).Addr(), p.spec.Port), whole[packet.IPv4MinLen+packet.UDPLen:])
				if n := longest(workload.frames()); from == stranger && n > underlayMTU {
					t.Errorf("a frame of %d bytes from a stranger came in", n)
				}
			}
			p.ping(a, b, overlay.V4)
			p.ping(b, a, overlay.V6)
		})
	}
}

// send has a host's own stack send a datagram.
func (h *host) send(from netip.Addr, to netip.AddrPort, data []byte) {
	h.Helper()
	if err := netns.Do(h.ns, func() error {
		c, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), net.UDPAddrFromAddrPort(to))
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write(data)
		return err
	}); err != nil {
		h.Fatal(err)
	}
}
