package matrix

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"

	"weft/encap"
	"weft/internal/netns"
	"weft/overlay"
	"weft/packet"
	"weft/trace"
)

// wrongKey: a packet of the peer's with another key, VNI or UDP port.
func (x *exam) wrongKey(t *testing.T, want outcome) {
	x.changed(t, want, func(s *specimen) {
		if x.mode.HasVNI() || x.hasKeys() {
			s.VNI++
			return
		}
		s.VNI, s.NoKey = 77, false
	})
}

// stranger: a packet of somebody's who is not the peer; and, where the peer has the addresses alone
// that the tunnel leads to, one of the peer's with another inside.
func (x *exam) stranger(t *testing.T, want outcome) {
	x.changed(t, want, func(s *specimen) { s.Src = stranger(x.over) })
	if x.form == inRouted && x.ebpf() {
		x.changed(t, counted(overlay.DropSpoofedIP), func(s *specimen) { s.ends.Src = s.ends.Dst.Next() })
	}
}

// wrongChecksum: a packet whose GRE or outer UDP checksum is wrong; the right one passes.
func (x *exam) wrongChecksum(t *testing.T, want outcome) {
	x.changed(t, want, func(s *specimen) { s.spoil = true })
}

// late: a packet with a number before the last one's.
func (x *exam) late(t *testing.T, want outcome) {
	x.changed(t, want, func(s *specimen) { s.Sequence -= 1 << 10 })
}

// settle has the near end know the far end's MAC for good, where the peer's answers would be too late:
// what is made here has numbers far behind its own.
func (x *exam) settle(t *testing.T) error {
	if !x.hasNumbers() || !x.mode.Ethernet() {
		return nil
	}
	mac := x.specimen(t).ends.SrcMAC[:]
	return netns.Do(x.end(), func() error {
		link, err := netlink.LinkByName(x.device())
		if err != nil {
			return err
		}
		var errs []error
		for _, f := range x.inside() {
			errs = append(errs, netlink.NeighSet(&netlink.Neigh{
				LinkIndex: link.Attrs().Index, IP: x.address(far, f).AsSlice(), HardwareAddr: mac, State: netlink.NUD_PERMANENT,
			}))
		}
		return errors.Join(errs...)
	})
}

// specimen is one of the peer's packets, taken apart.
type specimen struct {
	encap.Outer
	ethernet packet.Ethernet
	// ends are those of the packet inside. If that is a ping or an answer, it has a type and a number.
	ends   packet.Ends
	ping   ping
	number uint16
	spoil  bool
}

// ping is what a packet is.
type ping int

const (
	noPing ping = iota
	request
	reply
)

// specimen is one that has passed the wire in this row, a ping.
func (x *exam) specimen(t *testing.T) *specimen {
	t.Helper()
	for _, f := range x.frames {
		if s, ok := x.read(f.Data); ok && f.Direction == trace.Out && s.ping == request && s.ends.Dst.IsGlobalUnicast() {
			return s
		}
	}
	t.Fatal("none of the peer's pings has passed the wire")
	return nil
}

// read takes a frame of the wire's apart; false if it is none of the row's.
func (x *exam) read(frame []byte) (*specimen, bool) {
	eth, ip, err := packet.ParseEthernet(frame)
	if err != nil {
		return nil, false
	}
	o, inner, err := encap.UnwrapTunnel(x.mode, ip, x.mode.DefaultPort())
	if err != nil {
		return nil, false
	}
	s := &specimen{Outer: o, ethernet: eth}
	s.readInner(inner)
	return s, true
}

func (s *specimen) readInner(b []byte) {
	if s.Inner == packet.TypeTEB {
		eth, rest, err := packet.ParseEthernet(b)
		if err != nil {
			return
		}
		s.ends.SrcMAC, s.ends.DstMAC, b = eth.Src, eth.Dst, rest
	}
	if h, rest, err := packet.ParseIPv4(b); err == nil {
		s.ends.Src, s.ends.Dst = h.Src, h.Dst
		if icmp, _, err := packet.ParseICMPv4(rest); err == nil && h.Protocol == packet.ProtoICMP {
			s.ping = map[packet.ICMPv4Type]ping{packet.ICMPv4EchoRequest: request, packet.ICMPv4EchoReply: reply}[icmp.Type]
			_, s.number = icmp.Echo()
		}
	}
	if h, rest, err := packet.ParseIPv6(b); err == nil {
		s.ends.Src, s.ends.Dst = h.Src, h.Dst
		if icmp, _, err := packet.ParseICMPv6(rest); err == nil && h.NextHeader == packet.ProtoICMPv6 {
			s.ping = map[packet.ICMPv6Type]ping{packet.ICMPv6EchoRequest: request, packet.ICMPv6EchoReply: reply}[icmp.Type]
			_, s.number = icmp.Echo()
		}
	}
}

// frame is a ping between the same ends, in a packet with the same header.
func (s *specimen) frame(number uint16) []byte {
	inner := s.ends.EchoRequest(pingID, number, make([]byte, 40))
	if s.Inner != packet.TypeTEB {
		inner = inner[packet.EthernetLen:]
	}
	b := encap.Wrap(s.Outer, inner)
	if s.spoil {
		spoil(b)
	}
	return append(s.ethernet.Append(nil), b...)
}

func addr(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a
}

// spoil has a tunnel packet's GRE or UDP checksum be wrong.
func spoil(b []byte) {
	header, protocol := packet.IPv6Len, packet.Protocol(b[6])
	src, dst := b[8:24], b[24:40]
	if b[0]>>4 == 4 {
		header, protocol, src, dst = packet.IPv4MinLen, packet.Protocol(b[9]), b[12:16], b[16:20]
	}
	if protocol == packet.ProtoDestOptions {
		header += encap.TunnelLimitLen
	}
	at := header + encap.GRELen
	if protocol == packet.ProtoUDP {
		at = header + 6
		right := packet.TransportChecksum(addr(src), addr(dst), packet.ProtoUDP, b[header:])
		binary.BigEndian.PutUint16(b[at:], right)
	}
	b[at] ^= 0x55
}

// changed fails the test unless what is expected becomes of a changed packet: it gets no answer, for the
// reason that is expected, or does get one; and so does, behind it, a packet as it was.
func (x *exam) changed(t *testing.T, want outcome, change func(*specimen)) {
	t.Helper()
	const before, wrong, last = 0x7001, 0x7002, 0x7003
	x.wire.passed(t)
	right := x.specimen(t)
	x.injected += several + 2
	right.Sequence += x.injected // behind all that has passed
	changed := *right
	changed.Sequence++
	change(&changed)
	x.wire.inject(t, right.frame(before))
	right.Sequence += several + 1
	answered := false
	x.dropped(t, want, func() {
		for range several {
			x.wire.inject(t, changed.frame(wrong))
			changed.Sequence++
		}
		x.wire.inject(t, right.frame(last))
		x.wire.until(t, func(f trace.Frame) bool {
			s, ok := x.read(f.Data)
			if !ok || f.Direction != trace.In || s.ping != reply {
				return false
			}
			answered = answered || s.number == wrong
			return s.number == last
		})
	})
	if answered != (want.verdict == passes) {
		t.Errorf("it is answered: %v, and is %s", answered, want)
	}
}

// whole fails unless all that has passed is of this row: from one host to the other, with its VNI
// or key, and no longer than the wire takes.
func (x *exam) whole() error {
	ways := map[trace.Direction]int{}
	for _, f := range x.frames {
		if f.Length > underlayMTU+packet.EthernetLen {
			return fmt.Errorf("a frame of %d bytes on the wire", f.Length)
		}
		s, ok := x.read(f.Data)
		if !ok {
			continue
		}
		from := near
		if f.Direction == trace.Out {
			from = far
		}
		if s.Src != local(from, x.over).Addr() || s.Dst != local(1-from, x.over).Addr() || x.vniOf(from) != s.VNI {
			return fmt.Errorf("a packet from host %s has %+v", names[from], s.Outer)
		}
		ways[f.Direction]++
	}
	if ways[trace.In] == 0 || ways[trace.Out] == 0 {
		for _, f := range x.frames {
			if _, ok := x.read(f.Data); !ok {
				fmt.Println(f.Direction, len(f.Data), trace.Text(trace.Decode(f.Data), f.Data, trace.TextOptions{}))
			}
		}
		return fmt.Errorf("tunnel packets have passed %v", ways)
	}
	return nil
}

// vniOf is the VNI or key in a host's packets.
func (x *exam) vniOf(host int) overlay.VNI {
	switch {
	case x.mode.HasVNI(), x.network() && x.hasKeys():
		return x.vni()
	case x.hasKeys():
		return overlay.VNI(x.key(1 - host))
	}
	return 0
}
