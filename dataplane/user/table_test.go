package user

import (
	"encoding/hex"
	"net/netip"
	"testing"

	"weft/dataplane/kernel"
	"weft/overlay"
	"weft/packet"
)

var (
	nodeB = netip.MustParseAddr("192.0.2.2")
	nodeC = netip.MustParseAddr("192.0.2.3")
	ends  = packet.Ends{Src: netip.MustParseAddr("10.7.1.2"), Dst: netip.MustParseAddr("10.7.2.2")}
)

// ipPacket is what an Ethernet frame has inside.
func ipPacket(frame []byte) []byte { return frame[packet.EthernetLen:] }

func carried(routes ...kernel.CarriedRoute) kernel.Carried {
	return kernel.Carried{
		Encapsulation: overlay.EncapUDP, Local: netip.MustParseAddrPort("192.0.2.1:8285"),
		Peers: []netip.Addr{nodeB, nodeC}, Routes: routes,
	}
}

func route(prefix string, to netip.Addr) kernel.CarriedRoute {
	return kernel.CarriedRoute{Prefix: netip.MustParsePrefix(prefix), Peer: to}
}

func TestTheLongestPrefixCounts(t *testing.T) {
	t.Parallel()
	table := newOutTable(carried(
		route("10.7.2.0/24", nodeB), route("10.7.2.128/25", nodeC), route("10.8.1.7/16", nodeC), route("fd07:0:0:2::/64", nodeB)))
	for dst, want := range map[string]netip.Addr{
		"10.7.2.1": nodeB, "10.7.2.129": nodeC, "10.8.200.1": nodeC, "fd07:0:0:2::9": nodeB,
		"10.7.3.1": {}, "10.6.255.255": {}, "fd07:0:0:3::9": {}, "224.0.0.5": {},
	} {
		if got, ok := table.peer(netip.MustParseAddr(dst)); got != want || ok != want.IsValid() {
			t.Errorf("%s goes to %s, %t, want %s", dst, got, ok, want)
		}
	}
	everything := newOutTable(carried(route("0.0.0.0/0", nodeC), route("::/0", nodeB)))
	for dst, want := range map[string]netip.Addr{"224.0.0.5": nodeC, "255.255.255.255": nodeC, "ff02::5": nodeB} {
		if got, _ := everything.peer(netip.MustParseAddr(dst)); got != want {
			t.Errorf("%s goes to %s, want %s", dst, got, want)
		}
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	table := newOutTable(carried(route("10.7.2.0/24", nodeB)))
	whole := ipPacket(ends.EchoRequest(7, 1, []byte("hello")))
	elsewhere := ends
	elsewhere.Dst = netip.MustParseAddr("10.9.0.1")
	for name, c := range map[string]struct {
		packet []byte
		peer   netip.Addr
		why    overlay.DropReason
	}{
		"whole":       {whole, nodeB, ""},
		"no route":    {ipPacket(elsewhere.EchoRequest(7, 1, nil)), netip.Addr{}, overlay.DropNoRoute},
		"empty":       {nil, netip.Addr{}, overlay.DropMalformed},
		"cut":         {whole[:packet.IPv4MinLen-1], netip.Addr{}, overlay.DropMalformed},
		"half":        {whole[:len(whole)-1], netip.Addr{}, overlay.DropMalformed},
		"version 5":   {append([]byte{0x55}, whole[1:]...), netip.Addr{}, overlay.DropMalformed},
		"a bad start": {append([]byte{0x44}, whole[1:]...), netip.Addr{}, overlay.DropMalformed},
	} {
		if peer, _, why := table.decide(c.packet); peer != c.peer || why != c.why {
			t.Errorf("%s: to %s, dropped for %q; want %s, %q", name, peer, why, c.peer, c.why)
		}
	}
}

// What goes outside is the ECN of the packet inside in any case, and the rest of the TOS only
// where somebody wants it.
func TestOuterTOS(t *testing.T) {
	t.Parallel()
	const inner = 0xb8 | ecnCapable0
	for want, c := range map[uint8]kernel.Carried{
		ecnCapable0:        {},
		inner:              {InheritTOS: true},
		0x10 | ecnCapable0: {TOS: overlay.TOS{Fixed: true, Value: 0x11}},
	} {
		if got := newOutTable(c).outerTOS(inner); got != want {
			t.Errorf("%#x outside, want %#x", got, want)
		}
	}
}

// TestMarks is the table of RFC 6040 section 4.2, with the checksum of the header right after it.
func TestMarks(t *testing.T) {
	t.Parallel()
	const dscp = 0xb8
	for _, c := range []struct{ inside, outside, want uint8 }{
		{ecnIncapable, ecnIncapable, ecnIncapable}, {ecnIncapable, ecnCapable0, ecnIncapable}, {ecnIncapable, ecnCapable1, ecnIncapable},
		{ecnCapable0, ecnIncapable, ecnCapable0}, {ecnCapable0, ecnCapable0, ecnCapable0}, {ecnCapable0, ecnCapable1, ecnCapable1}, {ecnCapable0, ecnCongested, ecnCongested},
		{ecnCapable1, ecnIncapable, ecnCapable1}, {ecnCapable1, ecnCapable0, ecnCapable1}, {ecnCapable1, ecnCapable1, ecnCapable1}, {ecnCapable1, ecnCongested, ecnCongested},
		{ecnCongested, ecnIncapable, ecnCongested}, {ecnCongested, ecnCapable0, ecnCongested}, {ecnCongested, ecnCapable1, ecnCongested}, {ecnCongested, ecnCongested, ecnCongested},
	} {
		v4 := packet.IPv4{TOS: dscp | c.inside, TotalLen: 20, TTL: 3, Protocol: 253, Src: ends.Src, Dst: ends.Dst}.Append(nil)
		v6 := packet.IPv6{TrafficClass: dscp | c.inside, FlowLabel: 0xabcde, HopLimit: 3, Src: netip.IPv6Loopback(), Dst: netip.IPv6Loopback()}.Append(nil)
		for _, b := range [][]byte{v4, v6} {
			got, why := unwrap(b, 0xfc|c.outside)
			if why != "" {
				t.Errorf("%b inside, %b outside: dropped for %s", c.inside, c.outside, why)
				continue
			}
			if h, _ := parseHead(got); h.tos != dscp|c.want {
				t.Errorf("%b inside, %b outside: became %#x, want %b", c.inside, c.outside, h.tos, c.want)
			}
		}
		if _, _, err := packet.ParseIPv4(v4); err != nil {
			t.Errorf("%b inside, %b outside: %v", c.inside, c.outside, err)
		}
		if h, _, err := packet.ParseIPv6(v6); err != nil || h.FlowLabel != 0xabcde {
			t.Errorf("%b inside, %b outside: %+v, %v", c.inside, c.outside, h, err)
		}
	}
	for _, b := range [][]byte{
		packet.IPv4{TotalLen: 20, Src: ends.Src, Dst: ends.Dst}.Append(nil), packet.IPv6{Src: netip.IPv6Loopback(), Dst: netip.IPv6Loopback()}.Append(nil),
	} {
		if _, why := unwrap(b, ecnCongested); why != overlay.DropMalformed {
			t.Errorf("a mark that nobody inside understands: %q", why)
		}
	}
}

// Behind the packet there may be padding.
func TestUnwrapCutsPadding(t *testing.T) {
	t.Parallel()
	whole := ipPacket(ends.EchoRequest(7, 1, []byte("hello")))
	got, why := unwrap(append(whole[:len(whole):len(whole)], 1, 2, 3), 0)
	if why != "" || hex.EncodeToString(got) != hex.EncodeToString(whole) {
		t.Errorf("%x, dropped for %q; want %x", got, why, whole)
	}
}

func TestPacketsCostNoMemory(t *testing.T) {
	table := newOutTable(carried(route("10.7.2.0/24", nodeB)))
	whole := ipPacket(ends.EchoRequest(7, 1, []byte("hello")))
	if n := testing.AllocsPerRun(100, func() {
		table.decide(whole)
		unwrap(whole, ecnCapable1)
	}); n > 0 {
		t.Errorf("%v allocations for a packet", n)
	}
}

func FuzzPackets(f *testing.F) {
	f.Add(ipPacket(ends.EchoRequest(7, 1, []byte("hello"))), uint8(0))
	f.Add(packet.IPv6{Src: netip.IPv6Loopback(), Dst: netip.IPv6Loopback()}.Append(nil), uint8(3))
	table := newOutTable(carried(route("10.7.2.0/24", nodeB), route("::/0", nodeC)))
	f.Fuzz(func(t *testing.T, b []byte, tos uint8) {
		peer, _, why := table.decide(b)
		if peer.IsValid() == (why != "") {
			t.Errorf("to %s, dropped for %q", peer, why)
		}
		if inner, why := unwrap(b, tos); len(inner) > len(b) || why == "" && len(inner) == 0 {
			t.Errorf("%d bytes in %d, dropped for %q", len(inner), len(b), why)
		}
	})
}
