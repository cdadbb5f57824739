package interop

import (
	"encoding/binary"
	"fmt"
	"net"
	"testing"

	"weft/encap"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// flows is how many there are, of which each path has to get its share.
const flows = 1000

// TestFlowsSpread: a router that has two equal paths to the other host sends about half of the
// flows on either, and all packets of a flow on one. It goes by the outer header's ports, or,
// where there are none, by the flow label (RFC 6438). GRE over IPv4 has neither: that all of it
// goes one way shows that the router knows nothing else of the flows inside.
func TestFlowsSpread(t *testing.T) {
	t.Parallel()
	for _, spec := range []overlay.NetworkSpec{
		{Encapsulation: overlay.EncapVXLAN, Underlay: overlay.V4},
		{Encapsulation: overlay.EncapVXLAN, Underlay: overlay.V6},
		{Encapsulation: overlay.EncapGRE, Underlay: overlay.V6},
		{Encapsulation: overlay.EncapGRE, Underlay: overlay.V4},
	} {
		t.Run(fmt.Sprintf("%s over %s", spec.Encapsulation, spec.Underlay), func(t *testing.T) {
			t.Parallel()
			p := newPaths(t, spec)
			for _, f := range families {
				p.spread(t, string(f)+" flows", p.packets(f))
			}
			p.spread(t, "stations", p.frames())
			for _, f := range families {
				p.together(t, f)
			}
		})
	}
}

// paths is a pair of hosts between which a router has two ways.
type paths struct {
	*pair
	ends [2]capture
}

// newPaths has the underlay's bridge be a router, too, by which alone the peer is reached.
func newPaths(t testing.TB, spec overlay.NetworkSpec) *paths {
	t.Helper()
	p := &paths{pair: newPair(t, spec)}
	a, b := p.hosts[0], p.hosts[1]
	router := func(argv ...string) { testenv.Run(t, p.wire, argv...) }
	policy := "1" // ports
	if spec.Encapsulation == overlay.EncapGRE {
		policy = "0" // addresses and flow label
	}
	router("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
		"net.ipv4.fib_multipath_hash_policy="+policy, "net.ipv6.fib_multipath_hash_policy="+policy)
	for i := range p.ends {
		near, far := fmt.Sprintf("path%d", i), fmt.Sprintf("end%d", i)
		router("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", b.ns)
		router("ip", "link", "set", near, "up", "arp", "off", "addrgenmode", "none")
		b.run("ip", "link", "set", far, "up", "arp", "off", "addrgenmode", "none")
		p.ends[i] = listen(t, b.ns, far)
	}
	router("ip", "link", "set", "br0", "address", "02:75:00:00:00:01")
	n := p.network(a)
	for i := range flows {
		n.Remotes[station(i)] = b.name
	}
	a.connect("eth0")
	a.forward(overlay.PlaneEBPF, n)
	for _, f := range families {
		to := b.underlay(f)
		gateway := to.Addr().Next().String()
		router("ip", "address", "add", fmt.Sprintf("%s/%d", gateway, to.Bits()), "dev", "br0", "nodad")
		next := map[overlay.Family]string{overlay.V4: "192.0.2.2", overlay.V6: "fe80::2"}[f] // for whom nobody asks there
		router("ip", "route", "add", to.Addr().String(), "nexthop", "via", next, "dev", "path0", "onlink", "nexthop", "via", next, "dev", "path1", "onlink")
		a.run("ip", "neigh", "add", gateway, "lladdr", "02:75:00:00:00:01", "dev", "eth0", "nud", "permanent")
		a.run("ip", "route", "add", to.Addr().String(), "via", gateway)
	}
	return p
}

// traffic are the packets of many flows, which are told apart by what they carry: the flow's
// number is at the end.
type traffic [][]byte

// numbered is so much and a number: what packets carry that are told apart.
func numbered(number, length int) []byte {
	return binary.BigEndian.AppendUint16(append(make([]byte, length), "weft"...), uint16(number))
}

// number is that of a packet; false for one that has none.
func number(b []byte) (int, bool) {
	b = b[max(0, len(b)-6):]
	if len(b) < 6 || string(b[:4]) != "weft" {
		return 0, false
	}
	return int(binary.BigEndian.Uint16(b[4:])), true
}

// packets are three of each flow between the workloads, which differ in what is not the
// flow's: length, TTL and DSCP.
func (p *paths) packets(f overlay.Family) (all traffic) {
	a, b := p.hosts[0], p.hosts[1]
	for i := range 3 {
		ends := packet.Ends{
			SrcMAC: a.mac(), DstMAC: b.mac(), Src: p.address(a, f), Dst: p.address(b, f), TTL: uint8(64 - i), TOS: uint8(i << 2),
		}
		for flow := range flows {
			all = append(all, ends.UDP(uint16(10000+flow), 53, numbered(flow, 10+100*i)))
		}
	}
	return all
}

// frames are three to each of many stations, which are not IP.
func (p *paths) frames() (all traffic) {
	const local packet.EtherType = 0x88b5 // for experiments (IEEE 802)
	for i := range 3 {
		for flow := range flows {
			eth := packet.Ethernet{Dst: station(flow), Src: p.hosts[0].mac(), Type: local}
			all = append(all, append(eth.Append(nil), numbered(flow, 50+100*i)...))
		}
	}
	return all
}

// station is one of many behind the other host.
func station(i int) overlay.MAC { return overlay.MAC{2, 0, 0, 1, byte(i >> 8), byte(i)} }

// way is how a packet went.
type way struct {
	path int
	mark
}

// mark is what a tunnel packet tells routers of the flow inside.
type mark struct {
	port  uint16
	label uint32
}

// spread sends traffic, and fails the test unless each flow keeps its way and both paths have
// their share of the flows.
func (p *paths) spread(t *testing.T, what string, sent traffic) {
	t.Helper()
	p.hosts[0].inject(sent...)
	ways := map[int]way{}
	var share [2]int
	p.arrived(t, len(sent), func(w way, inner []byte) {
		flow, ok := number(inner)
		if !ok {
			t.Errorf("%s: a packet of no flow: %x", what, inner)
		}
		if first, ok := ways[flow]; ok && first != w {
			t.Errorf("%s: flow %d went %v, and then %v", what, flow, first, w)
		} else if !ok {
			ways[flow] = w
			share[w.path]++
		}
	})
	least := flows * 40 / 100
	if p.spec.Encapsulation == overlay.EncapGRE && p.spec.Underlay == overlay.V4 {
		least = 0
	}
	if len(ways) != flows || min(share[0], share[1]) < least || least == 0 && max(share[0], share[1]) < flows {
		t.Errorf("%s: of %d flows, %d went over the paths, want %d or more on each", what, len(ways), share, least)
	}
}

// together sends large datagrams, which the workload's kernel cuts, and fails the test unless
// all fragments of one go together.
func (p *paths) together(t *testing.T, f overlay.Family) {
	t.Helper()
	const datagrams, fragments = 20, 3
	var from net.PacketConn
	if err := netns.Do(p.hosts[0].workload, func() (err error) {
		from, err = net.ListenUDP("udp", &net.UDPAddr{IP: p.address(p.hosts[0], f).AsSlice()})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	for i := range datagrams {
		to := &net.UDPAddr{IP: p.address(p.hosts[1], f).AsSlice(), Port: 1000 + i}
		if _, err := from.WriteTo(make([]byte, 4000), to); err != nil {
			t.Fatal(err)
		}
	}
	// Only the first of each has ports, so these count for none. (The paths are not looked at: on
	// one machine a router knows the flow of a socket by what the kernel keeps beside the packet.)
	marks := map[mark]int{}
	p.arrived(t, datagrams*fragments, func(w way, _ []byte) { marks[w.mark]++ })
	if len(marks) != 1 {
		t.Errorf("%s: fragments between two hosts are marked %v", f, marks)
	}
}

// arrived waits for so many tunnel packets, and tells of each.
func (p *paths) arrived(t *testing.T, want int, tell func(way, []byte)) {
	t.Helper()
	testenv.Eventually(t, patience, func() error {
		for i, end := range p.ends {
			for _, f := range end.frames() {
				outer, inner, err := encap.Unwrap(p.spec.Encapsulation, f.Data[packet.EthernetLen:], p.spec.Port)
				if err != nil || packet.IsGroup([6]byte(inner)) {
					continue // the hosts' own
				}
				want--
				w := way{i, mark{port: outer.SrcPort}}
				if ip, _, err := packet.ParseIPv6(f.Data[packet.EthernetLen:]); err == nil {
					w.label = ip.FlowLabel
				}
				tell(w, inner)
			}
		}
		if want != 0 {
			return fmt.Errorf("%d packets are missing", want)
		}
		return nil
	}, "all packets arrive")
}
