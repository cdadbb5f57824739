package packet

import (
	"fmt"
	"net/netip"
)

// How much of an ICMP error there may be, IP header included, in bytes.
const (
	maxErrorV4 = 576  // RFC 1812 section 4.3.2.3
	maxErrorV6 = 1280 // RFC 4443 section 2.4 (c): the minimum MTU
)

// tosInternetwork is the precedence of ICMPv4 errors (RFC 1812 section 4.3.2.5).
const tosInternetwork = 0xc0

// FragNeeded is a frame that tells the sender of an IPv4 packet that the next hop
// takes mtu bytes (RFC 1191 section 4). offending begins with its IP header; ends
// are those of the answer. It is [ErrUnanswerable] if the RFCs forbid an answer,
// or offending may be fragmented.
func FragNeeded(ends Ends, mtu uint16, offending []byte) ([]byte, error) {
	h, _, err := ParseIPv4(offending)
	if err != nil {
		return nil, err
	}
	if h.Flags&DontFragment == 0 {
		return nil, fmt.Errorf("%w: DF is not set", ErrUnanswerable)
	}
	return errorV4(ends, ICMPv4{Type: ICMPv4Unreachable, Code: CodeFragNeeded, Rest: uint32(mtu)}, offending)
}

// PacketTooBig is FragNeeded for IPv6 (RFC 4443 section 3.2).
func PacketTooBig(ends Ends, mtu uint32, offending []byte) ([]byte, error) {
	return errorV6(ends, ICMPv6{Type: ICMPv6PacketTooBig, Rest: mtu}, offending)
}

// TimeExceeded is a frame that tells the sender of an IPv4 or IPv6 packet that its
// TTL or hop limit ran out in transit (RFC 792, RFC 4443 section 3.3).
func TimeExceeded(ends Ends, offending []byte) ([]byte, error) {
	if ends.Src.Is4() {
		return errorV4(ends, ICMPv4{Type: ICMPv4TimeExceeded}, offending)
	}
	return errorV6(ends, ICMPv6{Type: ICMPv6TimeExceeded}, offending)
}

// Unreachable is a frame that tells the sender of an IPv4 or IPv6 packet that
// nothing leads to its destination network (RFC 792, RFC 4443 section 3.1).
func Unreachable(ends Ends, offending []byte) ([]byte, error) {
	if ends.Src.Is4() {
		return errorV4(ends, ICMPv4{Type: ICMPv4Unreachable, Code: CodeNetUnreachable}, offending)
	}
	return errorV6(ends, ICMPv6{Type: ICMPv6Unreachable, Code: CodeV6NoRoute}, offending)
}

func errorV4(ends Ends, h ICMPv4, offending []byte) ([]byte, error) {
	about, payload, err := ParseIPv4(offending)
	if err != nil {
		return nil, err
	}
	if err := answerableV4(about, payload); err != nil {
		return nil, err
	}
	ends.TOS = tosInternetwork
	quote := min(about.Len()+len(payload), maxErrorV4-IPv4MinLen-ICMPLen)
	return ends.icmpv4(h, offending[:quote]), nil
}

func errorV6(ends Ends, h ICMPv6, offending []byte) ([]byte, error) {
	about, payload, err := ParseIPv6(offending)
	if err != nil {
		return nil, err
	}
	if err := answerableV6(about, payload, h.Type == ICMPv6PacketTooBig); err != nil {
		return nil, err
	}
	quote := min(IPv6Len+len(payload), maxErrorV6-IPv6Len-ICMPLen)
	return ends.icmpv6(h.Append(nil), offending[:quote]), nil
}

// answerableV4 is RFC 1122 section 3.2.2: no error about an error, a later
// fragment, a group, or a packet from nobody in particular.
func answerableV4(h IPv4, payload []byte) error {
	switch {
	case h.FragOffset != 0:
		return fmt.Errorf("%w: a later fragment", ErrUnanswerable)
	case isGroup(h.Dst):
		return fmt.Errorf("%w: to %s", ErrUnanswerable, h.Dst)
	case h.Src.IsUnspecified() || h.Src.IsLoopback() || isGroup(h.Src):
		return fmt.Errorf("%w: from %s", ErrUnanswerable, h.Src)
	}
	if h.Protocol != ProtoICMP {
		return nil
	}
	if m, _, err := ParseICMPv4(payload); err != nil || m.Type.IsError() {
		return fmt.Errorf("%w: an ICMP error", ErrUnanswerable)
	}
	return nil
}

// answerableV6 is RFC 4443 section 2.4 (e). Packets to a group are answered only by
// packet too big, which makes path MTU discovery work for multicast.
func answerableV6(h IPv6, payload []byte, tooBig bool) error {
	switch {
	case h.Dst.IsMulticast() && !tooBig:
		return fmt.Errorf("%w: to %s", ErrUnanswerable, h.Dst)
	case h.Src.IsUnspecified() || h.Src.IsMulticast():
		return fmt.Errorf("%w: from %s", ErrUnanswerable, h.Src)
	}
	ext, payload, err := ParseIPv6Extensions(h.NextHeader, payload)
	if err != nil {
		return err
	}
	if ext.Protocol != ProtoICMPv6 || ext.FragOffset != 0 {
		return nil
	}
	m, _, err := ParseICMPv6(payload)
	if err != nil || m.Type.IsError() || m.Type == ICMPv6Redirect {
		return fmt.Errorf("%w: an ICMPv6 error", ErrUnanswerable)
	}
	return nil
}

// isGroup reports whether a is an IPv4 multicast address or in 240.0.0.0/4: the
// limited broadcast and addresses that name no single host.
func isGroup(a netip.Addr) bool { return as4(a)[0] >= 224 }
