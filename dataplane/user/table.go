package user

import (
	"fmt"
	"net/netip"
	"slices"

	"weft/dataplane/kernel"
	"weft/overlay"
	"weft/packet"
)

// job is a link and what is to be done with it, as the file has it.
type job struct {
	Namespace string `json:"namespace,omitempty"` // empty: the host's
	Device    string `json:"device"`
	kernel.Carried
}

func jobOf(id kernel.LinkID, c kernel.Carried) job {
	c.Broken, c.PortTaken = "", false
	return job{string(id.NS), id.Name, c}
}

func (j job) id() kernel.LinkID { return kernel.LinkID{NS: kernel.NS(j.Namespace), Name: j.Device} }

// check says what of a job is not understood here.
func (j job) check() error {
	switch {
	case j.Encapsulation != overlay.EncapUDP:
		return fmt.Errorf("encapsulation %s: this forwarder does udp", j.Encapsulation)
	case j.TTL.Inherit:
		return fmt.Errorf("ttl inherit: the forwarder has one TTL for all packets; want a number")
	case !j.Local.IsValid() || j.Local.Port() == 0:
		return fmt.Errorf("local address %s: want an address and a port", j.Local)
	}
	return nil
}

// outTable says where packets go that come out of a link: by the longest prefix.
type outTable struct {
	// lengths are those of the prefixes, the longest first; IPv4 and IPv6 apart.
	lengths4, lengths6 []int
	peers              map[netip.Prefix]netip.Addr
	tos                overlay.TOS
	inheritTOS         bool
}

func newOutTable(c kernel.Carried) *outTable {
	t := &outTable{peers: map[netip.Prefix]netip.Addr{}, tos: c.TOS, inheritTOS: c.InheritTOS}
	for _, r := range c.Routes {
		p := r.Prefix.Masked()
		t.peers[p] = r.Peer
		lengths := &t.lengths6
		if p.Addr().Is4() {
			lengths = &t.lengths4
		}
		if !slices.Contains(*lengths, p.Bits()) {
			*lengths = append(*lengths, p.Bits())
		}
	}
	for _, lengths := range [][]int{t.lengths4, t.lengths6} {
		slices.SortFunc(lengths, func(a, b int) int { return b - a })
	}
	return t
}

// peer is whom packets to an address go to.
func (t *outTable) peer(dst netip.Addr) (netip.Addr, bool) {
	lengths := t.lengths6
	if dst.Is4() {
		lengths = t.lengths4
	}
	for _, n := range lengths {
		p, err := dst.Prefix(n)
		if err != nil {
			return netip.Addr{}, false
		}
		if peer, ok := t.peers[p]; ok {
			return peer, true
		}
	}
	return netip.Addr{}, false
}

// decide says to whom a packet goes that came out of a link, and the TOS outside; or why it
// goes nowhere.
func (t *outTable) decide(b []byte) (peer netip.Addr, tos uint8, why overlay.DropReason) {
	h, ok := parseHead(b)
	if !ok {
		return netip.Addr{}, 0, overlay.DropMalformed
	}
	peer, ok = t.peer(h.dst)
	if !ok {
		return netip.Addr{}, 0, overlay.DropNoRoute
	}
	return peer, t.outerTOS(h.tos), ""
}

// outerTOS has the ECN of the packet inside go outside in any case (RFC 6040 section 4.1).
func (t *outTable) outerTOS(inner uint8) uint8 {
	switch {
	case t.tos.Fixed:
		return t.tos.Value&^ecnMask | inner&ecnMask
	case t.inheritTOS:
		return inner
	}
	return inner & ecnMask
}

// unwrap looks at a UDP payload: it is the packet inside, without what is behind it. Its ECN becomes
// what it has to be by that outside, in place.
func unwrap(payload []byte, tos uint8) (b []byte, why overlay.DropReason) {
	h, ok := parseHead(payload)
	if !ok || !mark(payload[:h.length], h, tos&ecnMask) {
		return nil, overlay.DropMalformed
	}
	return payload[:h.length], ""
}

// head is what a forwarder looks at in an IP packet.
type head struct {
	dst    netip.Addr
	tos    uint8
	length int // of the packet, in bytes
}

// parseHead reads it. More than that there is a whole header, and a whole packet, is the
// affair of who takes it apart.
func parseHead(b []byte) (h head, ok bool) {
	switch {
	case len(b) >= packet.IPv4MinLen && b[0]>>4 == 4:
		h = head{netip.AddrFrom4([4]byte(b[16:20])), b[1], int(b[2])<<8 | int(b[3])}
		header := int(b[0]&0x0f) * 4
		return h, header >= packet.IPv4MinLen && h.length >= header && h.length <= len(b)
	case len(b) >= packet.IPv6Len && b[0]>>4 == 6:
		h = head{netip.AddrFrom16([16]byte(b[24:40])), b[0]<<4 | b[1]>>4, packet.IPv6Len + int(b[4])<<8 + int(b[5])}
		return h, h.length <= len(b)
	}
	return head{}, false
}
