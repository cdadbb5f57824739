package packet

import (
	"errors"
	"testing"
)

func TestIPv6(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		want IPv6
		rest int
	}{
		{"echo6-request", IPv6{
			FlowLabel: 0xcb7f3, PayloadLen: 24, NextHeader: ProtoICMPv6, HopLimit: 64, Src: host6, Dst: far6,
		}, 24},
		{"na", IPv6{PayloadLen: 32, NextHeader: ProtoICMPv6, HopLimit: 255, Src: router6, Dst: host6}, 32},
		{"udp6", IPv6{
			FlowLabel: 0x514d3, PayloadLen: 13, NextHeader: ProtoUDP, HopLimit: 64, Src: host6, Dst: far6,
		}, 13},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := network(t, c.name)
			checkParse(t, b, ParseIPv6, c.want, c.rest)
			checkCutOff(t, b, ParseIPv6)
			padded := append(append([]byte(nil), b...), 0, 0)
			checkParse(t, padded, ParseIPv6, c.want, c.rest)
		})
	}
	// Traffic class across the byte border: RFC 8200 section 3.
	h := IPv6{TrafficClass: 0xab, FlowLabel: 0xfedcb}
	if got := h.Append(nil); string(got[:4]) != string(unhex(t, "6abfedcb")) {
		t.Errorf("first word is %x", got[:4])
	}
}

func TestIPv6Refuses(t *testing.T) {
	t.Parallel()
	b := network(t, "echo6-request")
	checkRefusals(t, ParseIPv6, []refusal{
		{"version 4", with(b, 0, 0x45), ErrMalformed, "version 4"},
		{"payload cut off", b[:50], ErrCut, "10 of 24"},
		{"no payload at all", b[:40], ErrCut, "0 of 24"},
	})
}

func TestIPv6ReadsOnBesideErrors(t *testing.T) {
	t.Parallel()
	h, rest, err := ParseIPv6(network(t, "echo6-request")[:50])
	if !errors.Is(err, ErrCut) || h.Dst != far6 || len(rest) != 10 {
		t.Errorf("cut off: %+v, %d bytes, %v", h, len(rest), err)
	}
}

func TestIPv6Extensions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		want IPv6Extensions
		rest int
	}{
		{"echo6-request", IPv6Extensions{Protocol: ProtoICMPv6}, 24},
		// A hop-by-hop header with a router alert (RFC 2711).
		{"mld", IPv6Extensions{Protocol: ProtoICMPv6, Len: 8}, 48},
		{"fragment6", IPv6Extensions{
			Protocol: ProtoICMPv6, Len: 8, Fragment: true, FragOffset: 1448, ID: 0xf9a0fbe6,
		}, 560},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, payload, err := ParseIPv6(network(t, c.name))
			if err != nil {
				t.Fatal(err)
			}
			got, rest, err := ParseIPv6Extensions(h.NextHeader, payload)
			if err != nil || got != c.want || len(rest) != c.rest {
				t.Errorf("got  %+v, %d bytes, %v\nwant %+v, %d bytes", got, len(rest), err, c.want, c.rest)
			}
		})
	}
}

func TestIPv6ExtensionsChained(t *testing.T) {
	t.Parallel()
	b := unhex(t, "3c00 000000000000"+ // hop-by-hop, then destination options
		"2b01 0000000000000000000000000000"+ // 16 bytes of them, then routing
		"2c00 000000000000"+ // then a fragment, the first
		"1100 0001 00000007"+ // then UDP
		"ff")
	want := IPv6Extensions{Protocol: ProtoUDP, Len: 40, Fragment: true, More: true, ID: 7}
	got, rest, err := ParseIPv6Extensions(ProtoHopByHop, b)
	if err != nil || got != want || len(rest) != 1 {
		t.Errorf("got  %+v, %x, %v\nwant %+v, ff", got, rest, err, want)
	}
	for n := range len(b) - 1 {
		if _, rest, err := ParseIPv6Extensions(ProtoHopByHop, b[:n:n]); !isShort(err) || rest != nil {
			t.Errorf("%d bytes: %x, %v, want ErrShort", n, rest, err)
		}
	}
	// A later fragment of a packet with destination options: what follows is data.
	later := unhex(t, "3c00 0008 00000007 2b01")
	got, rest, err = ParseIPv6Extensions(ProtoFragment, later)
	if err != nil || got.Protocol != ProtoDestOptions || got.FragOffset != 8 || len(rest) != 2 {
		t.Errorf("later fragment: %+v, %x, %v", got, rest, err)
	}
}

func TestProtocolString(t *testing.T) {
	t.Parallel()
	for p, want := range map[Protocol]string{
		ProtoICMP: "ICMP", ProtoTCP: "TCP", ProtoUDP: "UDP", ProtoICMPv6: "ICMPv6",
		ProtoHopByHop: "hop-by-hop", ProtoRouting: "routing", ProtoFragment: "fragment",
		ProtoDestOptions: "destination options", ProtoNone: "none", 89: "89",
	} {
		if p.String() != want {
			t.Errorf("%d: got %q, want %q", uint8(p), p, want)
		}
	}
}
