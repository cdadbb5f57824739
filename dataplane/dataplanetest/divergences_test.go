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
		s := w.sceneWithOffice()
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

// sceneWithOffice is the base with a segment port, where there are such.
func (w world) sceneWithOffice() *scene {
	s := &scene{state: dataplane.State{Node: here, Networks: w.base().Networks}}
	if w.kind == overlay.Bridged {
		s.state.Networks[blue].Ports[office] = dataplane.Port{Name: office, Kind: overlay.PortSegment, Device: "p-office"}
	}
	return s
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
	jumbo := tunnelled(func(b []byte) []byte { return b })
	if w.under == overlay.V6 {
		binary.BigEndian.PutUint16(jumbo.bytes[packet.IPv6Len+4:], 0)
	}
	nd := ask(a, c.ip)
	nd[len(nd)-1] ^= 1
	far := ask(a, c.ip)
	far[packet.EthernetLen+7]--
	local := w.tunnelled(c.withLinkLocal(), a)
	optioned := func(b []byte) []byte { return b }
	if a.ip.Is4() {
		optioned = func(b []byte) []byte {
			b[packet.EthernetLen]++
			return append(b[:packet.EthernetLen:packet.EthernetLen], resealed(slices.Insert(b[packet.EthernetLen:], packet.IPv4MinLen, 1, 1, 1, 0))...)
		}
	}
	tagged := func(b []byte) []byte { return slices.Insert(slices.Clone(b), 12, 0x81, 0, 0, 0) }
	hopByHop := func(b []byte) []byte {
		return append(b[:packet.EthernetLen:packet.EthernetLen], extended(b[packet.EthernetLen:], packet.ProtoHopByHop, make([]byte, 8))...)
	}
	outer := tunnelled(func(b []byte) []byte { return b })
	if w.under == overlay.V4 {
		outer.bytes[0]++
		outer.bytes = resealed(slices.Insert(outer.bytes, packet.IPv4MinLen, 1, 1, 1, 0))
	} else {
		outer.bytes = extended(outer.bytes, packet.ProtoRouting, make([]byte, 8))
	}
	routing := func(b []byte) []byte {
		return append(b[:packet.EthernetLen:packet.EthernetLen], extended(b[packet.EthernetLen:], packet.ProtoDestOptions, make([]byte, 8))...)
	}
	endless := hopByHop(slices.Clone(plain))
	if a.ip.Is6() {
		endless[packet.EthernetLen+4], endless[packet.EthernetLen+5] = 0, 0
	}
	stranger := c.withLinkLocal()
	token := ask(a, c.ip)
	token[packet.EthernetLen+1] = 6 // IEEE 802
	nobody, office := a, w.olga()
	nobody.ip = unspecified(a)
	return map[string]wild{
		"": {at: a.place(), bytes: plain},
		"IP or ARP that does not parse, on a bridged network":                         at(func(b []byte) []byte { return b[:packet.EthernetLen+9] }),
		"IPv4 options and hop-by-hop options, on a bridged network":                   at(optioned),
		"a source that no station has, on a routed network":                           tunnelled(func(b []byte) []byte { b[6] |= 1; return b }),
		"a group's MAC around a packet to one host":                                   tunnelled(func(b []byte) []byte { b[0] |= 1; return b }),
		"priority tags, on a routed network":                                          at(tagged),
		"ARP and ND behind a tag, on a bridged network":                               {at: a.place(), bytes: tagged(ask(a, c.ip))},
		"what is too large for the tunnel, and nobody can be told":                    {at: a.place(), bytes: tagged(sized(w.sent(a, c), UnderlayMTU))},
		"extension headers and options of tunnel packets":                             outer,
		"extension headers before ICMPv6 from the unspecified address":                {at: a.place(), bytes: hopByHop(ask(nobody, a.ip))},
		"hop-by-hop options, on a routed network":                                     at(hopByHop),
		"a link-local source beyond the tunnel of a routed network":                   {at: Underlay, bytes: x.from(c.node, blue, ping(local))},
		"a UDP length of zero over IPv6":                                              jumbo,
		"ND with a hop limit below 255":                                               {at: a.place(), bytes: far},
		"a tag that is cut off, or an IP packet behind one":                           {at: a.place(), bytes: tagged(plain[:packet.EthernetLen+9])},
		"extension headers in what is too large for the tunnel, on a bridged network": {at: a.place(), bytes: routing(sized(w.sent(a, c), UnderlayMTU-packet.EthernetLen))},
		"what is too large for the tunnel, from behind a segment port":                {at: office.place(), bytes: sized(w.sent(office, c), UnderlayMTU)},
		"an IPv6 length of zero before hop-by-hop options, on a routed network":       {at: a.place(), bytes: endless},
		"a link-local address that nobody has, on a routed network":                   {at: a.place(), bytes: ping(w.sent(a.withLinkLocal(), stranger))},
		"ARP for another kind of hardware, on a bridged network":                      {at: a.place(), bytes: token},
		"a bad checksum in ND":                                                        {at: a.place(), bytes: nd},
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
