package dataplanetest

import (
	"encoding/binary"
	"slices"
	"testing"

	"weft/dataplane"
	"weft/overlay"
	"weft/packet"
)

// TestDivergences: each has a frame that it covers, and none covers what the contract speaks about.
func TestDivergences(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for _, w := range worlds(overlay.EncapVXLAN) {
		s := &scene{state: dataplane.State{Node: here, Networks: w.base().Networks}}
		for name, in := range divergent(w) {
			got := covering(s, in)
			if name == "" && len(got) > 0 {
				t.Errorf("%s: %s is covered by %q, want none", w.name(), describe(Delivery{At: in.at, Bytes: in.bytes}), got)
			}
			if slices.Contains(got, name) {
				covered[name] = true
			}
		}
	}
	for _, d := range Divergences() {
		if !covered[d.Name] {
			t.Errorf("nothing is covered by %q", d.Name)
		}
	}
}

// divergent are frames by the name of what covers them in some world; one is covered by nothing.
func divergent(w world) map[string]wild {
	a, c := w.alice(), w.carol()
	plain := ping(w.sent(a, c))
	at := func(change func(b []byte) []byte) wild {
		return wild{at: a.place(), bytes: change(slices.Clone(plain))}
	}
	x := &exam{world: w}
	tunnelled := func(change func(b []byte) []byte) wild {
		return wild{at: Underlay, bytes: x.from(c.node, blue, change(ping(w.tunnelled(c, a))))}
	}
	fragment := tunnelled(func(b []byte) []byte { return b })
	if w.under == overlay.V4 {
		fragment.bytes[6] |= 0x20 // more fragments
		fragment.bytes = resealed(fragment.bytes)
	}
	jumbo := tunnelled(func(b []byte) []byte { return b })
	if w.under == overlay.V6 {
		binary.BigEndian.PutUint16(jumbo.bytes[packet.IPv6Len+4:], 0)
	}
	nd := ask(a, c.ip)
	nd[len(nd)-1] ^= 1
	local := w.tunnelled(c.withLinkLocal(), a)
	return map[string]wild{
		"": {at: a.place(), bytes: plain},
		"IP or ARP that does not parse, on a bridged network":  at(func(b []byte) []byte { return b[:packet.EthernetLen+9] }),
		"a source that no station has, on a routed network":    tunnelled(func(b []byte) []byte { b[6] |= 1; return b }),
		"a group's MAC around a packet to one host":            tunnelled(func(b []byte) []byte { b[0] |= 1; return b }),
		"VLAN tags on a routed network, and around ARP and ND": at(func(b []byte) []byte { return slices.Insert(b, 12, 0x81, 0, 0, 0) }),
		"extension headers and options": at(func(b []byte) []byte {
			return append(b[:14:14], extended(b[14:], packet.ProtoHopByHop, make([]byte, 8))...)
		}),
		"fragments of tunnel packets":                               fragment,
		"a link-local source beyond the tunnel of a routed network": {at: Underlay, bytes: x.from(c.node, blue, ping(local))},
		"a UDP length of zero over IPv6":                            jumbo,
		"a bad checksum in ND":                                      {at: a.place(), bytes: nd},
	}
}

func covering(s *scene, in wild) (names []string) {
	a := s.arrival(in)
	for _, d := range Divergences() {
		if d.covers(a) {
			names = append(names, d.Name)
		}
	}
	return names
}
