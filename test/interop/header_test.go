package interop

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/encap"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// TestOuterHeaders: the TTL, DSCP, ECN and DF of tunnel packets are those that Linux's vxlan
// device gives them by default, whatever packet is inside and in every encapsulation.
//
// Its ipip, sit and gre devices differ by default in two things, and the eBPF plane follows its
// vxlan: they copy the TTL, so that traceroute inside counts the underlay's routers, which
// nobody inside can do anything about; and they set DF, so that a path with a smaller MTU than
// the nodes' is silent towards those inside, where Weft's packets are cut.
func TestOuterHeaders(t *testing.T) {
	t.Parallel()
	for _, underlay := range families {
		t.Run("over "+string(underlay), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, overlay.NetworkSpec{Kind: overlay.Bridged, Encapsulation: overlay.EncapVXLAN, Underlay: underlay})
			weft(overlay.PlaneEBPF)(p, p.hosts[0])
			weft(overlay.PlaneKernel)(p, p.hosts[1])
			want := p.outers(p.hosts[1], p.hosts[0])
			p.agree(t, want)
			for _, n := range carried {
				if n.encapsulation == overlay.EncapVXLAN || n.encapsulation.HasVNI() && n.kind == overlay.Routed {
					continue // they have the same outer headers
				}
				p := newPair(t, overlay.NetworkSpec{Kind: n.kind, Encapsulation: n.encapsulation, Underlay: underlay})
				weft(overlay.PlaneEBPF)(p, p.hosts[0])
				p.hosts[1].connect("eth0")
				p.agree(t, want)
			}
		})
	}
}

// agree fails the test unless the first host's outer headers are these.
func (p *pair) agree(t *testing.T, want map[inside]outside) {
	t.Helper()
	for in, got := range p.outers(p.hosts[0], p.hosts[1]) {
		if diff := cmp.Diff(want[in], got); diff != "" {
			t.Errorf("%s, %+v inside: the kernel has (-), the programs have (+):\n%s", p.spec.Encapsulation, in, diff)
		}
	}
}

// carried are the networks that there can be.
var carried = []struct {
	kind          overlay.NetworkKind
	encapsulation overlay.Encapsulation
}{
	{overlay.Bridged, overlay.EncapVXLAN}, {overlay.Routed, overlay.EncapVXLAN},
	{overlay.Bridged, overlay.EncapGeneve}, {overlay.Routed, overlay.EncapGeneve},
	{overlay.Bridged, overlay.EncapGRE}, {overlay.Routed, overlay.EncapGRE},
	{overlay.Routed, overlay.EncapIPIP}, {overlay.Routed, overlay.EncapSIT},
}

// inside is what a packet has that is sent, outside what the tunnel packet has.
type inside struct {
	Family   overlay.Family
	TOS, TTL uint8
}

type outside struct {
	TOS, TTL uint8
	DF       bool
}

// outers sends packets of every ECN with some DSCP and TTLs, and reads what is around them.
func (p *pair) outers(from, to *host) map[inside]outside {
	p.Helper()
	wire := listen(p, p.hosts[0].ns, "eth0")
	sent := p.insides()
	for i, in := range sent {
		ends := packet.Ends{
			SrcMAC: from.mac(), DstMAC: to.mac(), Src: p.address(from, in.Family), Dst: p.address(to, in.Family), TTL: in.TTL, TOS: in.TOS,
		}
		if p.spec.Kind == overlay.Routed {
			ends.DstMAC = p.network(p.hosts[0]).GatewayMAC
		}
		from.inject(ends.UDP(4000, 4001, numbered(i, 10)))
	}
	got := map[inside]outside{}
	testenv.Eventually(p, patience, func() error {
		for _, f := range wire.frames() {
			b := f.Data[packet.EthernetLen:]
			outer, inner, err := encap.Unwrap(p.spec.Encapsulation, b, p.spec.Port)
			if err != nil || outer.Src != from.underlay(p.spec.Underlay).Addr() {
				continue
			}
			if i, ok := number(inner); ok {
				got[sent[i]] = outsideOf(b)
			}
		}
		if len(got) < len(sent) {
			return fmt.Errorf("%d packets are missing", len(sent)-len(got))
		}
		return nil
	}, "all packets are on the wire")
	return got
}

func (p *pair) insides() (all []inside) {
	for _, f := range p.families {
		for _, dscp := range []uint8{0, 0x28, 0xb8, 0xfc} {
			for ecn := range uint8(4) {
				for _, ttl := range []uint8{2, 64, 255} {
					all = append(all, inside{f, dscp | ecn, ttl})
				}
			}
		}
	}
	return all
}

func outsideOf(b []byte) outside {
	if ip, _, err := packet.ParseIPv4(b); err == nil {
		return outside{ip.TOS, ip.TTL, ip.Flags&packet.DontFragment != 0}
	}
	ip, _, _ := packet.ParseIPv6(b) // else all is zero, and wrong
	return outside{ip.TrafficClass, ip.HopLimit, true}
}
