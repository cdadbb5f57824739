package packet

import (
	"errors"
	"testing"
)

func TestIPv4(t *testing.T) {
	t.Parallel()
	// The sender has recorded its own address.
	recordRoute, err := MakeOptions(unhex(t, "070b08 c000020a 00000000 00"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		want IPv4
		rest int
	}{
		{"echo4-request", IPv4{
			TotalLen: 44, ID: 0x7cec, Flags: DontFragment, TTL: 64, Protocol: ProtoICMP, Src: host4, Dst: far4,
		}, 24},
		{"fragment4", IPv4{
			TotalLen: 548, ID: 0x72ce, FragOffset: 1480, TTL: 64, Protocol: ProtoICMP, Src: host4, Dst: router4,
		}, 528},
		{"record-route", IPv4{
			TotalLen: 56, ID: 0x72d6, Flags: DontFragment, TTL: 64, Protocol: ProtoICMP,
			Src: host4, Dst: router4, Options: recordRoute,
		}, 24},
		{"udp4", IPv4{
			TotalLen: 33, ID: 0x6bdc, Flags: DontFragment, TTL: 64, Protocol: ProtoUDP, Src: host4, Dst: far4,
		}, 13},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := network(t, c.name)
			checkParse(t, b, ParseIPv4, c.want, c.rest)
			checkCutOff(t, b, ParseIPv4)
			padded := append(append([]byte(nil), b...), make([]byte, 20)...)
			checkParse(t, padded, ParseIPv4, c.want, c.rest)
		})
	}
}

func TestIPv4Refuses(t *testing.T) {
	t.Parallel()
	b := network(t, "echo4-request")
	checkRefusals(t, ParseIPv4, []refusal{
		{"version 6", with(b, 0, 0x65), ErrMalformed, "version 6"},
		{"version 0", make([]byte, 40), ErrMalformed, "version 0"},
		{"header of 16 bytes", with(b, 0, 0x44), ErrMalformed, "header length 16"},
		{"header behind the end", with(b[:24], 0, 0x4f), ErrShort, "24 of 60"},
		{"total length within the header", with(b, 2, 0, 19), ErrMalformed, "total length 19"},
		{"total length zero", with(b, 2, 0, 0), ErrMalformed, "total length 0"},
		{"wrong checksum", with(b, 8, 63), ErrChecksum, "0xd192"},
		{"payload cut off", b[:40], ErrCut, "40 of 44"},
		{"no payload at all", b[:20], ErrCut, "20 of 44"},
	})
}

func TestIPv4ReadsOnBesideErrors(t *testing.T) {
	t.Parallel()
	b := network(t, "echo4-request")
	h, rest, err := ParseIPv4(b[:40])
	if !errors.Is(err, ErrCut) || h.Src != host4 || h.TotalLen != 44 || len(rest) != 20 {
		t.Errorf("cut off: %+v, %d bytes, %v", h, len(rest), err)
	}
	h, rest, err = ParseIPv4(with(b, 8, 9))
	if !errors.Is(err, ErrChecksum) || h.TTL != 9 || len(rest) != 24 {
		t.Errorf("wrong checksum: %+v, %d bytes, %v", h, len(rest), err)
	}
	_, rest, err = ParseIPv4(with(b, 2, 0xff, 0xff)) // both, and a length that lies
	if !errors.Is(err, ErrChecksum) || len(rest) != 24 {
		t.Errorf("wrong checksum and length: %d bytes, %v", len(rest), err)
	}
}

func TestIPv4ForwardedKeepsChecksum(t *testing.T) {
	t.Parallel()
	h, rest, err := ParseIPv4(network(t, "echo4-request"))
	if err != nil {
		t.Fatal(err)
	}
	h.TTL--
	if _, _, err := ParseIPv4(append(h.Append(nil), rest...)); err != nil {
		t.Errorf("with its TTL lowered: %v", err)
	}
}

func TestIPv4IsFragment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		h    IPv4
		want bool
	}{
		{IPv4{}, false},
		{IPv4{Flags: DontFragment}, false},
		{IPv4{Flags: MoreFragments}, true},
		{IPv4{FragOffset: 8}, true},
	} {
		if c.h.IsFragment() != c.want {
			t.Errorf("%+v: got %v", c.h, !c.want)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for n := 0; n <= MaxOptions; n++ {
		o, err := MakeOptions(make([]byte, n))
		if err != nil || o.Len()%4 != 0 || o.Len() < n || o.Len() > n+3 || len(o.Append(nil)) != o.Len() {
			t.Errorf("%d bytes: length %d, %v", n, o.Len(), err)
		}
	}
	if _, err := MakeOptions(make([]byte, MaxOptions+1)); err == nil {
		t.Error("41 bytes fit")
	}
	o, _ := MakeOptions([]byte{1, 2, 3, 4, 5})
	if got := o.Append([]byte{9}); string(got) != string([]byte{9, 1, 2, 3, 4, 5, 0, 0, 0}) {
		t.Errorf("padded to %v", got)
	}
}
