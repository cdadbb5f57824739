package ebpf

import (
	"encoding/binary"
	"fmt"
	"testing"

	"weft/dataplane/dataplanetest"
	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

// stream sends numbered packets on each way that there is through a network: from port to
// port, to the underlay, and from it.
type stream struct {
	b    *bed
	name overlay.NetworkName
	next uint64
}

// mark is what the payload begins with; the number follows.
const mark = "weft stream"

func (s *stream) frame(from, to station) []byte {
	payload := binary.BigEndian.AppendUint64([]byte(mark), s.next)
	e := packet.Ends{SrcMAC: from.mac, DstMAC: to.mac, Src: from.ip, Dst: to.ip, TTL: 64}
	return e.UDP(4000, 4001, payload)
}

// arrival is what came out, and where.
type arrival struct {
	at     dataplanetest.Place
	number uint64
}

// send sends so many packets each way, and says which of them have not come out, or twice.
func (s *stream) send(count int) error {
	missing := map[arrival]int{}
	here := func(at station) dataplanetest.Place { return placeOf(s.name, at) }
	for range count {
		s.next++
		tunnelled := encap.Wrap(encap.Outer{
			Src: vtepB, Dst: dataplanetest.Local(overlay.V4).Addr(), DstPort: overlay.DefaultVXLANPort, VNI: vniOf(s.name),
		}, s.frame(carol, bob))
		for _, way := range []struct {
			in    dataplanetest.Place
			frame []byte
			out   dataplanetest.Place
		}{
			{here(bob), s.frame(bob, alice), here(alice)},
			{here(alice), s.frame(alice, carol), dataplanetest.Underlay},
			{dataplanetest.Underlay, tunnelled, here(bob)},
		} {
			missing[arrival{way.out, s.next}]++
			if err := s.b.Inject(way.in, way.frame); err != nil {
				return err
			}
		}
	}
	got, err := s.b.Deliveries()
	if err != nil {
		return err
	}
	for _, d := range got {
		if n, ok := number(d.Bytes); ok {
			missing[arrival{d.At, n}]--
		}
	}
	for a, n := range missing {
		if n != 0 {
			return fmt.Errorf("%d of number %d missing at %s; of %d each way", n, a.number, a.at, s.next)
		}
	}
	return nil
}

// number is that of a packet of a stream.
func number(b []byte) (uint64, bool) {
	at := len(b) - 8 - len(mark)
	if at < 0 || string(b[at:at+len(mark)]) != mark {
		return 0, false
	}
	return binary.BigEndian.Uint64(b[len(b)-8:]), true
}

// passes fails the test unless packets go every way.
func (b *bed) passes(t testing.TB, name overlay.NetworkName) {
	t.Helper()
	if err := (&stream{b: b, name: name}).send(10); err != nil {
		t.Error(err)
	}
}
