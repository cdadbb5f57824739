package packet

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// RFC 1071 section 3: the words 0001 f203 f4f5 f6f7 sum to ddf2.
func TestChecksumOfRFC1071(t *testing.T) {
	t.Parallel()
	b := unhex(t, "0001 f203 f4f5 f6f7")
	if got := Checksum(b); got != ^uint16(0xddf2) {
		t.Errorf("got %#x, want %#x", got, ^uint16(0xddf2))
	}
	if got := Checksum(nil); got != 0xffff {
		t.Errorf("of nothing: %#x", got)
	}
	if got := Checksum([]byte{0xab}); got != ^uint16(0xab00) {
		t.Errorf("of one byte: %#x", got)
	}
}

// naive is the sum as RFC 1071 section 4.1 writes it.
func naive(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) > 0 {
		sum += uint32(b[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

func TestChecksumEqualsNaive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// Runs of 0x00 and 0xff are where carries are lost.
		b := rapid.SliceOf(rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte{0, 0xff}))).Draw(t, "bytes")
		if got, want := Checksum(b), naive(b); got != want {
			t.Fatalf("got %#x, want %#x", got, want)
		}
		cut := rapid.IntRange(0, len(b)/2).Draw(t, "words") * 2
		if got := Sum(0).Add(b[:cut]).Add(b[cut:]).Checksum(); got != naive(b) {
			t.Fatalf("in two pieces: got %#x, want %#x", got, naive(b))
		}
	})
}

func TestChecksumAllOnes(t *testing.T) {
	t.Parallel()
	b := make([]byte, 1<<16)
	for i := range b {
		b[i] = 0xff
	}
	for n := range 64 {
		if got, want := Checksum(b[n:]), naive(b[n:]); got != want {
			t.Errorf("%d bytes of ones: got %#x, want %#x", len(b)-n, got, want)
		}
	}
}

// Every frame of the kernel's that carries a whole segment has a right checksum,
// and no single flipped bit goes unseen.
func TestTransportChecksumOfKernelFrames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"ns-dad", "rs", "ns", "na", "echo4-request", "echo4-reply", "echo6-request", "echo6-reply",
		"fragneeded", "toobig", "tcp4-syn", "tcp4-data", "tcp6-syn", "tcp6-data", "udp4", "udp6",
		"port-unreachable4", "port-unreachable6",
	} {
		t.Run(name, func(t *testing.T) {
			b := network(t, name)
			var src, dst netip.Addr
			var p Protocol
			if b[0]>>4 == 4 {
				h, _, _ := ParseIPv4(b)
				src, dst, p = h.Src, h.Dst, h.Protocol
			} else {
				h, _, _ := ParseIPv6(b)
				src, dst, p = h.Src, h.Dst, h.NextHeader
			}
			s := segment(t, name)
			if got := TransportChecksum(src, dst, p, s); got != 0 {
				t.Fatalf("got %#x, want 0", got)
			}
			for bit := range 8 * len(s) {
				if TransportChecksum(src, dst, p, with(s, bit/8, s[bit/8]^1<<(bit%8))) == 0 {
					t.Fatalf("bit %d flipped and the checksum is right", bit)
				}
			}
			if p != ProtoICMP && TransportChecksum(src, dst.Next(), p, s) == 0 {
				t.Error("another destination and the checksum is right")
			}
		})
	}
}

func BenchmarkChecksum1500(b *testing.B) {
	p := make([]byte, 1500)
	b.SetBytes(1500)
	for b.Loop() {
		Checksum(p)
	}
}
