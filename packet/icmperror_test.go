package packet

import (
	"bytes"
	"net/netip"
	"testing"
)

var (
	toHost4 = Ends{SrcMAC: routerMAC, DstMAC: hostMAC, Src: router4, Dst: host4}
	toHost6 = Ends{SrcMAC: routerMAC, DstMAC: hostMAC, Src: router6, Dst: host6}
)

// Our errors are the kernel's, but for the identification and the flow label.
func TestICMPErrorsAreTheKernels(t *testing.T) {
	t.Parallel()
	ip4, _, err := ParseIPv4(network(t, "fragneeded"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := FragNeeded(toHost4, 1400, network(t, "echo4-toobig"))
	if err != nil {
		t.Fatal(err)
	}
	checkFrame(t, "fragneeded", withID(t, got, ip4.ID, ip4.Flags, 0))

	ip6, _, err := ParseIPv6(network(t, "toobig"))
	if err != nil {
		t.Fatal(err)
	}
	got, err = PacketTooBig(toHost6, 1400, network(t, "echo6-toobig"))
	if err != nil {
		t.Fatal(err)
	}
	checkFrame(t, "toobig", withID(t, got, 0, 0, ip6.FlowLabel))
}

func TestICMPErrorsInTransit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		build func(Ends, []byte) ([]byte, error)
		ends  Ends
		about []byte
		want  string // type and code
	}{
		{"time exceeded v4", TimeExceeded, toHost4, network(t, "udp4"), "0b00"},
		{"time exceeded v6", TimeExceeded, toHost6, network(t, "udp6"), "0300"},
		{"unreachable v4", Unreachable, toHost4, network(t, "udp4"), "0300"},
		{"unreachable v6", Unreachable, toHost6, network(t, "udp6"), "0100"},
	} {
		t.Run(c.name, func(t *testing.T) {
			padded := append(c.about[:len(c.about):len(c.about)], 0, 0, 0)
			b, err := c.build(c.ends, padded)
			if err != nil {
				t.Fatal(err)
			}
			b = payloadOf(t, b)
			if !bytes.Equal(b[:2], unhex(t, c.want)) || !bytes.Equal(b[4:8], make([]byte, 4)) {
				t.Errorf("begins with %x, want %s", b[:8], c.want)
			}
			if !bytes.Equal(b[ICMPLen:], c.about) {
				t.Errorf("quotes %x, want %x", b[ICMPLen:], c.about)
			}
		})
	}
}

func TestICMPErrorsNotAllowed(t *testing.T) {
	t.Parallel()
	v4 := func(change func(*IPv4)) []byte {
		h, payload, err := ParseIPv4(network(t, "udp4"))
		if err != nil {
			t.Fatal(err)
		}
		change(&h)
		return append(h.Append(nil), payload...)
	}
	v6 := func(change func(*IPv6)) []byte {
		h, payload, err := ParseIPv6(network(t, "udp6"))
		if err != nil {
			t.Fatal(err)
		}
		change(&h)
		return append(h.Append(nil), payload...)
	}
	addr := netip.MustParseAddr
	fragNeeded := func(e Ends, b []byte) ([]byte, error) { return FragNeeded(e, 1400, b) }
	tooBig := func(e Ends, b []byte) ([]byte, error) { return PacketTooBig(e, 1400, b) }
	redirect := with(network(t, "echo6-request"), IPv6Len, byte(ICMPv6Redirect))
	for _, c := range []struct {
		name  string
		build func(Ends, []byte) ([]byte, error)
		about []byte
		want  error // nil: allowed
	}{
		{"DF not set", fragNeeded, v4(func(h *IPv4) { h.Flags = 0 }), ErrUnanswerable},
		{"DF set", fragNeeded, v4(func(h *IPv4) {}), nil},
		{"no DF, TTL", TimeExceeded, v4(func(h *IPv4) { h.Flags = 0 }), nil},
		{"first fragment", TimeExceeded, v4(func(h *IPv4) { h.Flags = MoreFragments }), nil},
		{"later fragment", TimeExceeded, v4(func(h *IPv4) { h.FragOffset = 8 }), ErrUnanswerable},
		{"to a group", TimeExceeded, v4(func(h *IPv4) { h.Dst = addr("224.0.0.5") }), ErrUnanswerable},
		{"to everybody", TimeExceeded, v4(func(h *IPv4) { h.Dst = addr("255.255.255.255") }), ErrUnanswerable},
		{"from nobody", TimeExceeded, v4(func(h *IPv4) { h.Src = addr("0.0.0.0") }), ErrUnanswerable},
		{"from loopback", TimeExceeded, v4(func(h *IPv4) { h.Src = addr("127.0.0.1") }), ErrUnanswerable},
		{"from a group", TimeExceeded, v4(func(h *IPv4) { h.Src = addr("224.0.0.5") }), ErrUnanswerable},
		{"an echo", TimeExceeded, network(t, "echo4-request"), nil},
		{"an error", TimeExceeded, network(t, "fragneeded"), ErrUnanswerable},
		{"ICMP without a header", TimeExceeded, v4(func(h *IPv4) { h.Protocol, h.TotalLen = ProtoICMP, 21 }), ErrUnanswerable},
		{"not IPv4", fragNeeded, network(t, "udp6"), ErrMalformed},
		{"v4 cut off", TimeExceeded, network(t, "udp4")[:30], ErrCut},

		{"v6 to a group", TimeExceeded, v6(func(h *IPv6) { h.Dst = addr("ff02::1") }), ErrUnanswerable},
		{"v6 to a group, too big", tooBig, v6(func(h *IPv6) { h.Dst = addr("ff02::1") }), nil},
		{"v6 from nobody", tooBig, v6(func(h *IPv6) { h.Src = addr("::") }), ErrUnanswerable},
		{"v6 from a group", tooBig, v6(func(h *IPv6) { h.Src = addr("ff02::1") }), ErrUnanswerable},
		{"v6 an echo", tooBig, network(t, "echo6-request"), nil},
		{"v6 an error", tooBig, network(t, "toobig"), ErrUnanswerable},
		{"v6 a redirect", tooBig, redirect, ErrUnanswerable},
		{"v6 a later fragment", tooBig, network(t, "fragment6"), nil},
		{"v6 broken extension", tooBig, v6(func(h *IPv6) { h.NextHeader, h.PayloadLen = ProtoHopByHop, 4 }), ErrShort},
		{"not IPv6", tooBig, network(t, "udp4"), ErrShort},
		{"v6 cut off", tooBig, network(t, "udp6")[:50], ErrCut},
	} {
		t.Run(c.name, func(t *testing.T) {
			ends := toHost4
			if c.about[0]>>4 == 6 {
				ends = toHost6
			}
			b, err := c.build(ends, c.about)
			if !is(err, c.want) || (b == nil) != (err != nil) {
				t.Errorf("got %d bytes, %v, want %v", len(b), err, c.want)
			}
		})
	}
}
