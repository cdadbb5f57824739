package linux

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"

	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/encap"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// Tunnels that stand alone are interfaces of the host's, on whatever plane they are. RunTunnels
// holds a plane to what the kernel's own devices do with headers: what peers without Weft
// expect.

// tunnelPeer is the node at the other ends of the tunnels.
const tunnelPeer = 2

// tunnelMTU is that of the interfaces: all encapsulations fit.
const tunnelMTU = 1400

// tunnelKind is a mode over an underlay family, with or without what is said of outer headers.
type tunnelKind struct {
	mode  overlay.TunnelMode
	under overlay.Family
	fixed bool
	// number is the kind's place among all.
	number int
}

func (k tunnelKind) String() string {
	name := fmt.Sprintf("%s over %s", k.mode, k.under)
	if k.fixed {
		name += ", TTL and TOS fixed"
	}
	return name
}

// Fixed are the TTL and the TOS of a tunnel that inherits neither; ECN is not its to say.
const (
	fixedTTL = 9
	fixedTOS = 0xb8
)

// tunnel is the plane's end.
func (k tunnelKind) tunnel(plane overlay.PlaneName) dataplane.Tunnel {
	name := overlay.TunnelName(fmt.Sprintf("tun%d", k.number))
	s := overlay.TunnelSpec{
		Node: "a", Mode: k.mode, Plane: plane, MTU: tunnelMTU, Local: k.local(),
		Remote: nthNode(k.under, tunnelPeer).String(), TTL: overlay.TTL{Inherit: true},
	}
	if k.fixed {
		s.TTL, s.TOS = overlay.TTL{Hops: fixedTTL}, overlay.TOS{Fixed: true, Value: fixedTOS}
	}
	if k.mode.HasVNI() {
		s.VNI = overlay.VNI(7000 + k.number)
	}
	for _, f := range k.inside() {
		s.Addresses = append(s.Addresses, netip.PrefixFrom(k.address(f, 1), prefixLen[f]))
	}
	return dataplane.Tunnel{Name: name, Spec: s.Complete(name), Local: s.Local, Remote: nthNode(k.under, tunnelPeer), MTU: tunnelMTU}
}

var prefixLen = map[overlay.Family]int{overlay.V4: 24, overlay.V6: 64}

// local is one of the host's underlay addresses, another one for each tunnel: the kernel has one
// tunnel of IP in IPv6 between two.
func (k tunnelKind) local() netip.Addr { return nthNode(k.under, byte(100+k.number)) }

// address is that of one end inside: 1 is the host.
func (k tunnelKind) address(f overlay.Family, end byte) netip.Addr {
	if f == overlay.V4 {
		return netip.AddrFrom4([4]byte{10, 99, byte(k.number), end})
	}
	return netip.AddrFrom16([16]byte{0xfd, 0x99, 3: byte(k.number), 15: end})
}

// inside are the families that the mode carries.
func (k tunnelKind) inside() (all []overlay.Family) {
	for _, f := range []overlay.Family{overlay.V4, overlay.V6} {
		if k.mode.Carries(f) {
			all = append(all, f)
		}
	}
	return all
}

// ends is a packet from one end inside to the other one.
func (k tunnelKind) ends(f overlay.Family, from, to byte, mac [6]byte) packet.Ends {
	return packet.Ends{SrcMAC: macOfStranger, DstMAC: mac, Src: k.address(f, from), Dst: k.address(f, to), TTL: 33}
}

var macOfStranger = [6]byte{2, 0x99, 0, 0, 0, 2}

// wrapped is what the peer sends of a frame.
func (k tunnelKind) wrapped(t dataplane.Tunnel, frame []byte) []byte {
	o := encap.Outer{Src: t.Remote, Dst: t.Local, VNI: t.Spec.VNI, DstPort: t.Spec.Port, NoKey: true}
	switch k.mode {
	case overlay.TunnelVXLAN:
		o.Encapsulation = overlay.EncapVXLAN
	case overlay.TunnelGeneve:
		o.Encapsulation = overlay.EncapGeneve
	case overlay.TunnelGRE, overlay.TunnelGRETAP:
		o.Encapsulation = overlay.EncapGRE
	case overlay.TunnelIPIP:
		o.Encapsulation = overlay.EncapIPIP
	case overlay.TunnelSIT:
		o.Encapsulation = overlay.EncapSIT
	}
	if k.mode.Ethernet() {
		o.Inner = packet.TypeTEB
		return encap.Wrap(o, frame)
	}
	o.Inner = packet.EtherType(binary.BigEndian.Uint16(frame[12:]))
	return encap.Wrap(o, frame[packet.EthernetLen:])
}

// RunTunnels holds a plane to what Linux does, in these modes, as TunnelMode.Over writes them.
func RunTunnels(t *testing.T, s Subject, modes []string) {
	h := New(t, s)
	state := dataplane.State{Node: "a", Generation: 1, Tunnels: map[overlay.TunnelName]dataplane.Tunnel{}}
	var kinds []tunnelKind
	for _, m := range overlay.TunnelModes() {
		for _, f := range []overlay.Family{overlay.V4, overlay.V6} {
			for _, fixed := range []bool{false, true} {
				if k := (tunnelKind{m, f, fixed, len(kinds) + 1}); m != overlay.TunnelUDP && slices.Contains(modes, m.Over(f)) {
					kinds = append(kinds, k)
					tunnel := k.tunnel(s.Name)
					state.Tunnels[tunnel.Name] = tunnel
				}
			}
		}
	}
	for _, k := range kinds {
		testenv.Run(t, h.host, "ip", "address", "add", netip.PrefixFrom(k.local(), prefixLen[k.under]).String(), "dev", underlayDevice, "nodad")
	}
	if err := h.Apply(state, nil); err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		t.Run(k.String(), func(t *testing.T) {
			x := tunnelExam{t, h, k, k.tunnel(s.Name), h.Interface(t, k.tunnel(s.Name).Spec.Device)}
			for _, f := range k.inside() {
				x.arriving(f)
				x.departing(f)
				x.pieces(f)
			}
		})
	}
}

// tunnelExam is about one tunnel.
type tunnelExam struct {
	*testing.T
	h      *Harness
	k      tunnelKind
	tunnel dataplane.Tunnel
	at     *Interface
}

// payload is that of answers which nobody has waited for: hosts say nothing to them. It is what tells the exam's packets from what the host says for itself.
var payload = []byte("weft tunnel exam")

// numbered is the nth payload.
func numbered(n int) []byte { return append(slices.Clone(payload), byte(n)) }

// sorted are packets by their payload's number.
func sorted(packets [][]byte) map[int][][]byte {
	all := map[int][][]byte{}
	for _, b := range packets {
		if at := bytes.Index(b, payload); at >= 0 {
			n := int(b[at+len(payload)])
			all[n] = append(all[n], b)
		}
	}
	return all
}

// came is what has come in by the interface of what was sent there.
func (x tunnelExam) came() map[int][][]byte {
	x.Helper()
	packets, err := x.at.Packets()
	if err != nil {
		x.Fatal(err)
	}
	return sorted(packets)
}

// tosOf is an IP packet's, or its traffic class.
func tosOf(b []byte) uint8 {
	if b[0]>>4 == 4 {
		return b[1]
	}
	return uint8(binary.BigEndian.Uint16(b) >> 4)
}

// arriving: ECN that a router sets outside comes inside, and DSCP does not (RFC 6040 section
// 4.2, as include/net/inet_ecn.h has it).
func (x tunnelExam) arriving(f overlay.Family) {
	const dscp, another = 0x28, 0x48
	for n := range 16 {
		inside, outside := uint8(n>>2), uint8(n&3)
		e := x.k.ends(f, 2, 1, x.mac())
		e.TOS = dscp | inside
		x.inject(dataplanetest.WithTOS(x.k.wrapped(x.tunnel, e.EchoReply(1, 1, numbered(n))), another|outside))
	}
	all := x.came()
	for n := range 16 {
		inside, outside, got := uint8(n>>2), uint8(n&3), all[n]
		ecn, err := dataplanetest.InnerECN(inside, outside)
		switch want := dscp | ecn; {
		case err != nil && len(got) > 0:
			x.Errorf("%s: ECN %d outside, %d inside: % x came in, want nothing", f, outside, inside, got[0])
		case err == nil && (len(got) != 1 || tosOf(got[0]) != want):
			x.Errorf("%s: ECN %d outside, %d inside: want one packet with TOS %#x, got % x", f, outside, inside, want, got)
		}
	}
}

func (x tunnelExam) inject(b []byte) {
	x.Helper()
	if err := x.h.Inject(dataplanetest.Underlay, b); err != nil {
		x.Fatal(err)
	}
}

// mac is that of the interface, if it has one.
func (x tunnelExam) mac() (mac [6]byte) {
	x.Helper()
	x.h.in(x.T, x.h.host, func(n *netlink.Handle) error {
		link, err := n.LinkByName(x.tunnel.Spec.Device)
		if err == nil {
			copy(mac[:], link.Attrs().HardwareAddr)
		}
		return err
	})
	return mac
}

// departing: TTL and TOS are the packet's or those that were said, and ECN goes outside, but for
// a mark, which stays inside.
func (x tunnelExam) departing(f overlay.Family) {
	const dscp = 0x28
	e := x.k.ends(f, 1, 2, macOfStranger)
	e.SrcMAC = x.mac()
	for ecn := range 4 {
		e.TOS = dscp | uint8(ecn)
		if err := x.at.Send(e.EchoReply(1, 1, numbered(ecn))); err != nil {
			x.Fatal(err)
		}
	}
	all := x.sent()
	for ecn := range 4 {
		tos, ttl := uint8(dscp), e.TTL
		if x.k.fixed {
			tos, ttl = fixedTOS, fixedTTL
		}
		tos |= x.ecn(uint8(ecn))
		if len(all[ecn]) != 1 {
			x.Errorf("%s, ECN %d inside: want one packet, got % x", f, ecn, all[ecn])
			continue
		}
		x.outer(all[ecn][0], tos, ttl)
	}
}

// ecn is that outside, by that of the packet inside.
func (x tunnelExam) ecn(inside uint8) uint8 {
	switch {
	case x.kernel() && x.k.mode.IsGRE() && x.k.under == overlay.V6: // it is as it is inside, or as it was said (net/ipv6/ip6_gre.c)
		if x.k.fixed {
			return 0
		}
	case inside == 3:
		return 2 // CE becomes ECT(0) (RFC 3168 section 9.1.1)
	}
	return inside
}

// kernel reports whether the kernel's own devices are examined.
func (x tunnelExam) kernel() bool { return x.tunnel.Spec.Plane == overlay.PlaneKernel }

// outer checks an outer header. Of the kernel's devices Geneve's alone have no address.
func (x tunnelExam) outer(b []byte, tos, ttl uint8) {
	x.Helper()
	src, dst, hops := b[12:16], b[16:20], b[8]
	if x.k.under == overlay.V6 {
		src, dst, hops = b[8:24], b[24:40], b[7]
	}
	if tosOf(b) != tos || hops != ttl {
		x.Errorf("TOS %#x and TTL %d outside, want %#x and %d: % x", tosOf(b), hops, tos, ttl, b)
	}
	free := x.kernel() && x.k.mode == overlay.TunnelGeneve
	if !free && !bytes.Equal(src, x.tunnel.Local.AsSlice()) || !bytes.Equal(dst, x.tunnel.Remote.AsSlice()) {
		x.Errorf("from %v to %v, want %s to %s", src, dst, x.tunnel.Local, x.tunnel.Remote)
	}
}

// sent are the packets that have gone into the underlay.
func (x tunnelExam) sent() map[int][][]byte {
	x.Helper()
	got, err := x.h.Deliveries()
	if err != nil {
		x.Fatal(err)
	}
	var all [][]byte
	for _, d := range got {
		if d.At == dataplanetest.Underlay {
			all = append(all, d.Bytes)
		}
	}
	return sorted(all)
}

// pieces: a packet that the peer, or a router, has cut comes in whole, and congestion of one piece
// is that of the packet (RFC 3168 section 5.3). Of one that lacks a piece nothing comes.
func (x tunnelExam) pieces(f overlay.Family) {
	const capable, congested = 2, 3
	e := x.k.ends(f, 2, 1, x.mac())
	e.TOS = capable
	cut := func(n int, id uint16) [][]byte {
		long := slices.Concat(numbered(n), make([]byte, 500))
		b := dataplanetest.WithTOS(x.k.wrapped(x.tunnel, e.EchoReply(1, 1, long)), capable)
		return dataplanetest.Pieces(b, 200, id<<8|uint16(prefixLen[f]))
	}
	number := uint16(x.k.number)
	for i, b := range cut(0, number) {
		if i == 1 {
			b = dataplanetest.WithTOS(b, congested)
		}
		x.inject(b)
	}
	for i, b := range cut(1, number+100) {
		if i != 1 {
			x.inject(b)
		}
	}
	got := x.came()
	if len(got[0]) != 1 || tosOf(got[0][0]) != congested || len(got[1]) > 0 {
		x.Errorf("%s: of three pieces, and of two of three, came % x", f, got)
	}
}
