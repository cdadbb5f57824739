package dataplanetest

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"weft/overlay"
	"weft/packet"
)

// Every byte of a delivery is compared but for those that its freedom leaves to the
// plane: each is changed in turn, checksums made right again.
func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	for _, w := range []world{
		{overlay.Routed, overlay.V4, overlay.V4, overlay.EncapVXLAN}, {overlay.Routed, overlay.V4, overlay.V6, overlay.EncapVXLAN},
		{overlay.Routed, overlay.V6, overlay.V4, overlay.EncapVXLAN},
		{overlay.Routed, overlay.V4, overlay.V6, overlay.EncapGeneve}, {overlay.Routed, overlay.V6, overlay.V4, overlay.EncapGRE},
		{overlay.Routed, overlay.V4, overlay.V6, overlay.EncapIPIP}, {overlay.Routed, overlay.V6, overlay.V4, overlay.EncapSIT},
	} {
		t.Run(string(w.encapsulation)+"/"+w.name(), func(t *testing.T) {
			t.Parallel()
			x := &exam{world: w}
			a, c, g := x.alice(), x.carol(), x.gatewayHost()
			for name, d := range map[string]Delivery{
				"port":      x.at(a, ping(x.received(x.bob(), a))),
				"tunnel":    x.to(c.node, a, ping(x.tunnelled(a, c))),
				"made":      x.at(a, pong(toGateway(a, g).Back()), Made),
				"made ARP":  x.at(a, tell(g.mac, g.ip, a), Made),
				"error":     x.at(a, refusal(packet.Unreachable, g.mac, g.ip, a, ping(x.sent(a, c))), Made, Quoting),
				"far error": x.to(c.node, a, refusal(packet.TimeExceeded, g.mac, g.ip, c, ping(x.sent(c, a))), Made, Quoting),
				"direct":    {At: Underlay, Via: x.vtep(nodeB), Bytes: ping(x.tunnelled(a, c))[packet.EthernetLen:], Freedom: Direct},
			} {
				if !same(d, d) {
					t.Errorf("%s: differs from itself", name)
				}
				got := free(w, d)
				if want := freeBytes(w, name, d); !slices.Equal(got, want) {
					t.Errorf("%s: bytes %v are free, want %v", name, got, want)
				}
			}
		})
	}
}

// free are the bytes that may change in some way without anybody's noticing.
func free(w world, d Delivery) []int {
	var offsets []int
	for i := range d.Bytes {
		for _, mask := range []byte{1, 2, 4, 8, 16, 32, 64, 128, 3} {
			changed := d
			changed.Bytes = slices.Clone(d.Bytes)
			changed.Bytes[i] ^= mask
			mended := repaired(w, changed)
			if bytes.Equal(mended.Bytes, d.Bytes) {
				continue // a checksum
			}
			if same(d, changed) || same(d, mended) {
				offsets = append(offsets, i)
				break
			}
		}
	}
	return offsets
}

// repaired has the delivery's checksums made right where there is IP.
func repaired(w world, d Delivery) Delivery {
	b := slices.Clone(d.Bytes)
	if d.Freedom&Tunnelled != 0 {
		repairIP(b, 0)
	}
	at := innerAt(w, d)
	if d.Freedom&(Made|Direct) != 0 {
		repairIP(b, at)
	}
	d.Bytes = b
	return d
}

// repairIP makes the checksums of the packet at an offset right, and returns where its
// payload begins.
func repairIP(b []byte, at int) int {
	if at+packet.IPv4MinLen > len(b) {
		return at
	}
	p := b[at:]
	head := packet.IPv6Len
	if p[0]>>4 == 4 {
		head = packet.IPv4MinLen
		binary.BigEndian.PutUint16(p[10:], 0)
		binary.BigEndian.PutUint16(p[10:], packet.Checksum(p[:head]))
	}
	ip, err := parseIP(p)
	if err == nil && len(ip.payload) >= packet.ICMPLen && (ip.proto == packet.ProtoICMP || ip.proto == packet.ProtoICMPv6) {
		binary.BigEndian.PutUint16(ip.payload[2:], 0)
		binary.BigEndian.PutUint16(ip.payload[2:], packet.TransportChecksum(ip.src, ip.dst, ip.proto, ip.payload))
	}
	return at + head
}

// freeBytes are those that Differences names, by their place in the headers.
func freeBytes(w world, name string, d Delivery) []int {
	var all []int
	at := innerAt(w, d)
	if d.Freedom&Tunnelled != 0 {
		all = headerBytes(w.under, 0)
		if w.encapsulation.DefaultPort() != 0 {
			udp := (&exam{world: w}).outerLen()
			all = append(all, udp, udp+1) // the source port
		}
	}
	switch {
	case name == "direct":
		return []int{ttlByte(w.overlay)}
	case d.Freedom&Made == 0 || name == "made ARP" && w.overlay == overlay.V4:
		return all
	case name == "made ARP": // it is ND: all but the hop limit
		return append(all, at, at+1, at+2, at+3)
	}
	all = append(all, headerBytes(w.overlay, at)...)
	if d.Freedom&Quoting != 0 {
		all = append(all, at+lengthByte(w.overlay))
	}
	if name == "error" { // unreachable: its code
		p := parsedIP(d.Bytes[at:])
		all = append(all, at+len(p.bytes)-len(p.payload)+1)
	}
	slices.Sort(all)
	return all
}

// lengthByte is the lower one of the length that an IP header gives.
func lengthByte(f overlay.Family) int {
	if f == overlay.V4 {
		return 3
	}
	return 5
}

func parsedIP(b []byte) ipPacket { p, _ := parseIP(b); return p }

// innerAt is where the IP packet inside begins, or ARP.
func innerAt(w world, d Delivery) int {
	switch {
	case d.Freedom&Direct != 0:
		return 0
	case d.Freedom&Tunnelled != 0:
		return w.overhead()
	}
	return packet.EthernetLen
}

// headerBytes are the bytes of an IP header at an offset that are a host's own choice.
func headerBytes(f overlay.Family, at int) []int {
	offsets := []int{0, 1, 2, 3, 7} // class, flow label, hop limit
	if f == overlay.V4 {
		offsets = []int{1, 4, 5, 6, 8} // TOS, identification, DF, TTL
	}
	for i := range offsets {
		offsets[i] += at
	}
	return offsets
}

func ttlByte(f overlay.Family) int {
	if f == overlay.V4 {
		return 8
	}
	return 7
}
