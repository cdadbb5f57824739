package ebpf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

// aloneTunnels are two tunnels to node b that stand alone: one that only programs unwrap, and one of which
// the kernel has a device.
func aloneTunnels() map[overlay.TunnelName]dataplane.Tunnel {
	return tunnelsFrom(dataplanetest.Local(overlay.V4).Addr(), map[overlay.TunnelName]overlay.TunnelSpec{
		"site":  {Mode: overlay.TunnelGRE},
		"other": {Mode: overlay.TunnelVXLAN, VNI: 77},
	})
}

// tunnelsFrom are tunnels from an address of the bed's to node b; their networks inside follow
// from the order of their names.
func tunnelsFrom(local netip.Addr, specs map[overlay.TunnelName]overlay.TunnelSpec) map[overlay.TunnelName]dataplane.Tunnel {
	all := map[overlay.TunnelName]dataplane.Tunnel{}
	for i, name := range slices.Sorted(maps.Keys(specs)) {
		s := specs[name]
		s.Node, s.Plane, s.Remote = "a", overlay.PlaneEBPF, vtepB.String()
		s.Addresses = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 99, byte(i), 1}), 24)}
		if s.Mode.Ethernet() {
			s.MAC = overlay.MAC{2, 0x99, 0, 0, byte(i), 1}
			s.Neighbors = []overlay.TunnelNeighbor{{Address: s.Addresses[0].Addr().Next(), MAC: strangerMAC}}
		}
		if s.TTL.IsZero() {
			s.TTL.Hops = 64
		}
		all[name] = dataplane.Tunnel{Name: name, Spec: s.Complete(name), Local: local, Remote: vtepB, MTU: 1400}
	}
	return all
}

// strangerMAC is that of the peer's end of a tunnel with frames.
var strangerMAC = overlay.MAC{2, 0x99, 0, 0, 0xff, 2}

// asked is what the peer sends to ask the host's end of a tunnel for an answer.
func asked(t dataplane.Tunnel, payload []byte) []byte {
	here := t.Spec.Addresses[0].Addr()
	frame := packet.Ends{SrcMAC: strangerMAC, DstMAC: t.Spec.MAC, Src: here.Next(), Dst: here}.EchoRequest(1, 1, payload)
	o := encap.Outer{Src: t.Remote, Dst: t.Local, VNI: t.Spec.VNI, DstPort: t.Spec.Port, NoKey: true, Inner: packet.TypeTEB}
	switch t.Spec.Mode {
	case overlay.TunnelGeneve:
		o.Encapsulation = overlay.EncapGeneve
	case overlay.TunnelGRE:
		o.Encapsulation, o.Inner, frame = overlay.EncapGRE, packet.TypeIPv4, frame[packet.EthernetLen:]
	}
	return encap.Wrap(o, frame)
}

// marked are those of what was delivered that a test has sent: the host says something by itself.
func marked(all []dataplanetest.Delivery) []dataplanetest.Delivery {
	return slices.DeleteFunc(all, func(d dataplanetest.Delivery) bool { return !bytes.Contains(d.Bytes, []byte(mark)) })
}

// pings are numbered questions of the peer's, which come in by tunnels and are answered there.
type pings struct {
	b       *bed
	tunnels map[overlay.TunnelName]dataplane.Tunnel
	next    uint64
}

// send asks so often by each tunnel, and says which questions were not answered once.
func (p *pings) send(count int) error {
	open := map[uint64]int{}
	for range count {
		for _, t := range p.tunnels {
			p.next++
			open[p.next]++
			if err := p.b.Inject(dataplanetest.Underlay, asked(t, binary.BigEndian.AppendUint64([]byte(mark), p.next))); err != nil {
				return err
			}
		}
	}
	got, err := p.b.Deliveries()
	if err != nil {
		return err
	}
	for _, d := range got {
		if n, ok := number(d.Bytes); ok && d.At == dataplanetest.Underlay {
			open[n]--
		}
	}
	for n, left := range open {
		if left != 0 {
			return fmt.Errorf("%d answers to ping %d are missing, of %d", left, n, p.next)
		}
	}
	return nil
}

// answers fails the test unless each tunnel carries questions and answers.
func (b *bed) answers(t testing.TB, tunnels map[overlay.TunnelName]dataplane.Tunnel) {
	t.Helper()
	if err := (&pings{b: b, tunnels: tunnels}).send(5); err != nil {
		t.Error(err)
	}
}
