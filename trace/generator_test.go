package trace

import (
	"math/rand/v2"
	"net/netip"

	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

// generator makes random packets, whole ones with right checksums.
type generator struct{ *rand.Rand }

func (g generator) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	return b
}

// mac is a unicast address.
func (g generator) mac() [6]byte {
	m := [6]byte(g.bytes(6))
	m[0] = m[0]&^1 | 2
	return m
}

// addr is a global unicast address.
func (g generator) addr(v4 bool) netip.Addr {
	if v4 {
		b := [4]byte(g.bytes(4))
		b[0] = 11 + b[0]%100
		return netip.AddrFrom4(b)
	}
	b := [16]byte(g.bytes(16))
	b[0], b[1] = 0x20, 0x01
	if g.IntN(2) == 0 { // something to abbreviate
		clear(b[4:14])
	}
	return netip.AddrFrom16(b)
}

// port is one that tshark has no protocol for, and tunnelPort never gives.
func (g generator) port() uint16 { return uint16(33000 + g.IntN(200)) }

func (g generator) tunnelPort() uint16 { return uint16(33200 + g.IntN(200)) }

func (g generator) ends(v4 bool) packet.Ends {
	return packet.Ends{
		SrcMAC: g.mac(), DstMAC: g.mac(), Src: g.addr(v4), Dst: g.addr(v4),
		TTL: uint8(1 + g.IntN(255)), TOS: uint8(g.IntN(256)),
	}
}

// tunnel is a random frame in VXLAN in a frame on the underlay.
func (g generator) tunnel(port uint16) []byte {
	v4 := g.IntN(2) == 0
	e := g.ends(v4)
	ip := encap.Wrap(encap.Outer{
		Src: e.Src, Dst: e.Dst, DstPort: port, VNI: overlay.VNI(1 + g.IntN(int(overlay.MaxVNI))),
	}, g.inner())
	typ := packet.TypeIPv6
	if v4 {
		typ = packet.TypeIPv4
	}
	return append(packet.Ethernet{Dst: e.DstMAC, Src: e.SrcMAC, Type: typ}.Append(nil), ip...)
}

// inner is a frame of any kind that an overlay carries.
func (g generator) inner() []byte {
	v4 := g.IntN(2) == 0
	e := g.ends(v4)
	payload := g.bytes(g.IntN(40))
	flags := packet.TCPFlags(g.IntN(256))
	options, err := packet.MakeOptions([]byte{2, 4, byte(g.Uint32()), byte(g.Uint32()), 1, 3, 3, byte(g.IntN(14))})
	if err != nil {
		panic(err)
	}
	kinds := []func() []byte{
		func() []byte { return packet.ARPRequestFrame(e.SrcMAC, g.addr(true), g.addr(true)) },
		func() []byte { return packet.ARPReplyFrame(e.SrcMAC, g.addr(true), e.DstMAC, g.addr(true)) },
		func() []byte { return packet.NSFrame(e.SrcMAC, g.addr(false), g.addr(false)) },
		func() []byte { return packet.NSFrame(e.SrcMAC, netip.IPv6Unspecified(), g.addr(false)) },
		func() []byte {
			return packet.NAFrame(e.SrcMAC, g.addr(false), packet.NDFlags(g.IntN(8))<<29, e.DstMAC, g.addr(false))
		},
		func() []byte { return e.EchoRequest(uint16(g.Uint32()), uint16(g.Uint32()), payload) },
		func() []byte { return e.EchoReply(uint16(g.Uint32()), uint16(g.Uint32()), payload) },
		func() []byte { return e.UDP(g.port(), g.port(), payload) },
		func() []byte {
			return e.TCP(packet.TCP{
				SrcPort: g.port(), DstPort: g.port(), Seq: g.Uint32(), Ack: g.Uint32(), Flags: flags,
				Window: uint16(g.Uint32()), Urgent: uint16(g.Uint32()), Options: options,
			}, payload)
		},
		func() []byte { return g.tooBig(v4) },
	}
	frame := kinds[g.IntN(len(kinds))]()
	if g.IntN(4) == 0 {
		return g.tagged(frame)
	}
	return frame
}

// tooBig is an ICMP error about a packet of 1,500 bytes.
func (g generator) tooBig(v4 bool) []byte {
	about := g.ends(v4).UDP(g.port(), g.port(), make([]byte, 1400))[packet.EthernetLen:]
	e := g.ends(v4)
	var frame []byte
	var err error
	if v4 {
		frame, err = packet.FragNeeded(e, uint16(1000+g.IntN(400)), about)
	} else {
		frame, err = packet.PacketTooBig(e, uint32(1280+g.IntN(100)), about)
	}
	if err != nil {
		panic(err)
	}
	return frame
}

// tagged puts a VLAN tag into a frame.
func (g generator) tagged(frame []byte) []byte {
	eth, rest, err := packet.ParseEthernet(frame)
	if err != nil {
		panic(err)
	}
	tag := packet.VLAN{Priority: uint8(g.IntN(8)), DropEligible: g.IntN(2) == 0, ID: uint16(g.IntN(4096)), Type: eth.Type}
	eth.Type = packet.TypeVLAN
	return append(tag.Append(eth.Append(nil)), rest...)
}
