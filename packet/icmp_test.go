package packet

import (
	"testing"
)

func TestICMPv4(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		want ICMPv4
		rest int
	}{
		{"echo4-request", ICMPv4{Type: ICMPv4EchoRequest, Checksum: 0xad8a, Rest: 0x1234_0001}, 16},
		{"echo4-reply", ICMPv4{Type: ICMPv4EchoReply, Checksum: 0xb58a, Rest: 0x1234_0001}, 16},
		{"fragneeded", ICMPv4{Type: ICMPv4Unreachable, Code: CodeFragNeeded, Checksum: 0xf056, Rest: 1400}, 548},
		{"port-unreachable4", ICMPv4{Type: ICMPv4Unreachable, Code: CodePortUnreachable, Checksum: 0xe96d}, 33},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := segment(t, c.name)
			checkParse(t, b, ParseICMPv4, c.want, c.rest)
			checkCutOff(t, b, ParseICMPv4)
		})
	}
	echo := ICMPv4{Rest: 0x1234_0001}
	if id, seq := echo.Echo(); id != 0x1234 || seq != 1 {
		t.Errorf("echo %#x, %d", id, seq)
	}
	if mtu := (ICMPv4{Rest: 0xffff_0578}).MTU(); mtu != 1400 {
		t.Errorf("MTU %d", mtu)
	}
}

func TestICMPv6(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		want ICMPv6
		rest int
	}{
		{"echo6-request", ICMPv6{Type: ICMPv6EchoRequest, Checksum: 0xd97f, Rest: 0x1234_0001}, 16},
		{"toobig", ICMPv6{Type: ICMPv6PacketTooBig, Checksum: 0xe7ff, Rest: 1400}, 1232},
		{"port-unreachable6", ICMPv6{Type: ICMPv6Unreachable, Code: CodeV6PortUnreachable, Checksum: 0x1cc6}, 53},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := segment(t, c.name)
			checkParse(t, b, ParseICMPv6, c.want, c.rest)
			checkCutOff(t, b, ParseICMPv6)
		})
	}
	echo := ICMPv6{Rest: 0x1234_0001}
	if id, seq := echo.Echo(); id != 0x1234 || seq != 1 {
		t.Errorf("echo %#x, %d", id, seq)
	}
	if mtu := (ICMPv6{Rest: 70000}).MTU(); mtu != 70000 {
		t.Errorf("MTU %d", mtu)
	}
}

// The quoted packet of an error is cut off, and its header can be read.
func TestICMPErrorsQuoteWhatWasSent(t *testing.T) {
	t.Parallel()
	_, quote, err := ParseICMPv4(segment(t, "fragneeded"))
	if err != nil {
		t.Fatal(err)
	}
	if h, _, _ := ParseIPv4(quote); h.Src != host4 || h.Dst != far4 || h.TotalLen != 1500 {
		t.Errorf("frag-needed quotes %+v", h)
	}
	_, quote, err = ParseICMPv6(segment(t, "toobig"))
	if err != nil {
		t.Fatal(err)
	}
	if h, _, _ := ParseIPv6(quote); h.Src != host6 || h.Dst != far6 || h.PayloadLen != 1460 {
		t.Errorf("packet too big quotes %+v", h)
	}
}

func TestICMPTypes(t *testing.T) {
	t.Parallel()
	for typ, want := range map[ICMPv4Type]struct {
		text  string
		isErr bool
	}{
		ICMPv4EchoReply:        {"echo reply", false},
		ICMPv4EchoRequest:      {"echo request", false},
		ICMPv4Unreachable:      {"destination unreachable", true},
		ICMPv4SourceQuench:     {"source quench", true},
		ICMPv4Redirect:         {"redirect", true},
		ICMPv4TimeExceeded:     {"time exceeded", true},
		ICMPv4ParameterProblem: {"parameter problem", true},
		13:                     {"type 13", false},
	} {
		if typ.String() != want.text || typ.IsError() != want.isErr {
			t.Errorf("v4 %d: %q, error %v, want %+v", uint8(typ), typ, typ.IsError(), want)
		}
	}
	for typ, want := range map[ICMPv6Type]struct {
		text  string
		isErr bool
	}{
		ICMPv6Unreachable:           {"destination unreachable", true},
		ICMPv6PacketTooBig:          {"packet too big", true},
		ICMPv6TimeExceeded:          {"time exceeded", true},
		ICMPv6ParameterProblem:      {"parameter problem", true},
		127:                         {"type 127", true},
		ICMPv6EchoRequest:           {"echo request", false},
		ICMPv6EchoReply:             {"echo reply", false},
		ICMPv6MLDQuery:              {"multicast listener query", false},
		ICMPv6MLDv2Report:           {"multicast listener report v2", false},
		ICMPv6RouterSolicitation:    {"router solicitation", false},
		ICMPv6RouterAdvertisement:   {"router advertisement", false},
		ICMPv6NeighborSolicitation:  {"neighbor solicitation", false},
		ICMPv6NeighborAdvertisement: {"neighbor advertisement", false},
		ICMPv6Redirect:              {"redirect", false},
		200:                         {"type 200", false},
	} {
		if typ.String() != want.text || typ.IsError() != want.isErr {
			t.Errorf("v6 %d: %q, error %v, want %+v", uint8(typ), typ, typ.IsError(), want)
		}
	}
}
