package packet

import (
	"bytes"
	"errors"
	"testing"
)

// fuzzHeader holds what the package promises of any header and any input: no
// panic, what is returned lies within the input, and Append gives back the bytes
// that Parse read.
func fuzzHeader[H header](f *testing.F, offset int, parse func([]byte) (H, []byte, error)) {
	for _, b := range frames(f) {
		f.Add(b[min(offset, len(b)):])
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:len(b):len(b)]
		before := bytes.Clone(b)
		h, rest, err := parse(b)
		if len(rest) > len(b) || !bytes.Contains(b, rest) {
			t.Fatalf("%x does not lie in %x", rest, b)
		}
		if err != nil && !errors.Is(err, ErrCut) {
			return // a wrong IPv4 checksum is not written again
		}
		wire := h.Append(nil)
		if len(wire)+len(rest) > len(b) {
			t.Fatalf("%d bytes of header and %d of payload out of %d", len(wire), len(rest), len(b))
		}
		if !sameHeader(wire, b[:len(wire)]) {
			t.Fatalf("Append gives\n%x, read was\n%x", wire, b[:len(wire)])
		}
		again, _, _ := parse(append(wire, rest...))
		if again != h {
			t.Fatalf("parsed again\n%+v, first\n%+v", again, h)
		}
		if !bytes.Equal(b, before) {
			t.Fatal("Parse wrote to its input")
		}
	})
}

// sameHeader is equality, where an IPv4 checksum of 0xffff is as good as the zero
// that Append writes (RFC 1624 section 3: both are zero).
func sameHeader(got, want []byte) bool {
	if bytes.Equal(got, want) {
		return true
	}
	return len(want) >= IPv4MinLen && want[10] == 0xff && want[11] == 0xff &&
		bytes.Equal(got, with(want, 10, 0, 0))
}

const offsetL3, offsetV4L4, offsetV6L4 = EthernetLen, EthernetLen + IPv4MinLen, EthernetLen + IPv6Len

func FuzzEthernet(f *testing.F) { fuzzHeader(f, 0, ParseEthernet) }
func FuzzVLAN(f *testing.F)     { fuzzHeader(f, offsetL3, ParseVLAN) }
func FuzzARP(f *testing.F)      { fuzzHeader(f, offsetL3, ParseARP) }
func FuzzIPv4(f *testing.F)     { fuzzHeader(f, offsetL3, ParseIPv4) }
func FuzzIPv6(f *testing.F)     { fuzzHeader(f, offsetL3, ParseIPv6) }
func FuzzUDP(f *testing.F)      { fuzzHeader(f, offsetV4L4, ParseUDP) }
func FuzzTCP(f *testing.F)      { fuzzHeader(f, offsetV4L4, ParseTCP) }
func FuzzICMPv4(f *testing.F)   { fuzzHeader(f, offsetV4L4, ParseICMPv4) }
func FuzzICMPv6(f *testing.F)   { fuzzHeader(f, offsetV6L4, ParseICMPv6) }
func FuzzND(f *testing.F)       { fuzzHeader(f, offsetV6L4, ParseND) }

func FuzzIPv6Extensions(f *testing.F) {
	for _, b := range frames(f) {
		f.Add(byte(ProtoHopByHop), b[min(offsetV6L4, len(b)):])
	}
	f.Fuzz(func(t *testing.T, next byte, b []byte) {
		h, rest, err := ParseIPv6Extensions(Protocol(next), b)
		if err != nil {
			if rest != nil || h != (IPv6Extensions{}) {
				t.Fatalf("%+v, %x beside %v", h, rest, err)
			}
			return
		}
		if h.Len+len(rest) != len(b) || h.Len%8 != 0 {
			t.Fatalf("%d bytes of headers, %d behind them, of %d", h.Len, len(rest), len(b))
		}
		if h.Protocol.isExtension() && h.FragOffset == 0 {
			t.Fatalf("stopped before %s", h.Protocol)
		}
	})
}

func FuzzNDOptions(f *testing.F) {
	for _, name := range []string{"ns", "na", "ns-dad"} {
		f.Add(frame(f, name)[offsetV6L4+NDLen:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var wire []byte
		rest := b
		for len(rest) > 0 {
			o, behind, err := ParseNDOption(rest)
			if err != nil {
				if _, _, err := LinkAddr(b, NDSourceLinkAddr); err == nil {
					t.Fatal("LinkAddr overlooks a malformed option")
				}
				return
			}
			wire, rest = o.Append(wire), behind
		}
		if !bytes.Equal(wire, b) {
			t.Fatalf("Append gives\n%x, read was\n%x", wire, b)
		}
	})
}

// FuzzICMPErrors: whatever the offending packet is, the answer is a whole packet
// within its limit that quotes it, or an error.
func FuzzICMPErrors(f *testing.F) {
	for _, b := range frames(f) {
		f.Add(b[EthernetLen:])
	}
	f.Fuzz(func(t *testing.T, about []byte) {
		for limit, build := range map[int]func() ([]byte, error){
			maxErrorV4: func() ([]byte, error) { return FragNeeded(toHost4, 1400, about) },
			maxErrorV6: func() ([]byte, error) { return PacketTooBig(toHost6, 1400, about) },
		} {
			b, err := build()
			if err != nil {
				continue
			}
			if len(b)-EthernetLen > limit {
				t.Fatalf("%d bytes, at most %d", len(b)-EthernetLen, limit)
			}
			if quote := payloadOf(t, b)[ICMPLen:]; !bytes.HasPrefix(about, quote) {
				t.Fatalf("quotes %x of %x", quote, about)
			}
		}
	})
}
