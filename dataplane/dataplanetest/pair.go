package dataplanetest

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weft/dataplane"
	"weft/overlay"
	"weft/packet"
)

// RunDifferential holds two planes to each other where the contract has no word: whatever
// frame comes in, how wrong it may be, both deliver the same. States and frames are random,
// networks of VXLAN. What they may do differently all the same is the list [Divergences].
func RunDifferential(t *testing.T, one, other func(t testing.TB) Harness) {
	h := [2]Harness{lending{one(t)}, lending{other(t)}}
	var generation [2]uint64
	enough := budget()
	rapid.Check(t, func(t *rapid.T) {
		if enough(t) {
			return
		}
		p := newPair(t, h, &generation)
		defer p.oracle.Close()
		p.apply(dataplane.State{Node: here}, false)
		for range rapid.IntRange(1, 3).Draw(t, "states") {
			s := drawScene(t, overlay.EncapVXLAN)
			p.apply(s.state, rapid.Bool().Draw(t, "tell what changed"))
			for range rapid.IntRange(10, 40).Draw(t, "frames") {
				p.inject(s, s.drawWild(t))
			}
		}
	})
}

// pair has two planes do the same.
type pair struct {
	t          *rapid.T
	h          [2]Harness
	oracle     *Memory // which knows what the contract leaves open
	generation *[2]uint64
	last       [2]dataplane.State
}

func newPair(t *rapid.T, h [2]Harness, generation *[2]uint64) *pair {
	p := &pair{t: t, h: h, oracle: NewMemory(), generation: generation}
	for i := range h {
		p.last[i] = dataplane.State{Generation: generation[i]}
	}
	return p
}

func (p *pair) apply(s dataplane.State, tell bool) {
	for i, h := range p.h {
		p.generation[i]++
		s.Generation = p.generation[i]
		var since *dataplane.Delta
		if tell {
			d := dataplane.Between(p.last[i], s)
			since = &d
		}
		if err := h.Apply(s, since); err != nil {
			p.t.Fatalf("apply to plane %d: %v", i+1, err)
		}
		p.last[i] = s
		p.collect(h) // what new ports say for themselves is nobody's delivery
	}
	if err := p.oracle.Apply(p.t.Context(), s, nil); err != nil {
		p.t.Fatalf("apply to the oracle: %v", err)
	}
}

func (p *pair) collect(h Harness) []Delivery {
	got, err := h.Deliveries()
	if err != nil {
		p.t.Fatalf("collect deliveries: %v", err)
	}
	return got
}

func (p *pair) inject(s *scene, in wild) {
	var got [2][]Delivery
	for i, h := range p.h {
		if err := in.into(h); err != nil {
			p.t.Fatalf("inject at %s: %v", in.at, err)
		}
		for _, d := range p.collect(h) {
			if d = unpadded(d); !unasked(d) {
				d.Freedom = s.freedom(d)
				got[i] = append(got[i], d)
			}
		}
	}
	one, other := unmatched(got[0], got[1])
	may := p.optional(in)
	one, other = slices.DeleteFunc(one, may), slices.DeleteFunc(other, may)
	if len(one)+len(other) > 0 && !s.diverges(in) {
		p.t.Errorf("in %s, %s\n%s", describe(Delivery{At: in.at, Bytes: in.bytes}), in.how, differences(one, other))
	}
}

// optional tells the deliveries of a frame that may be missing: those that the contract says
// so of, and ICMP errors, of which random frames may cause more than a host sends.
func (p *pair) optional(in wild) func(Delivery) bool {
	var may []Delivery
	if in.segment == 0 {
		for _, d := range p.oracle.Inject(in.at, in.bytes) {
			if d.Freedom&Optional != 0 {
				may = append(may, unpadded(d))
			}
		}
	}
	return func(d Delivery) bool {
		return d.Freedom&Quoting != 0 || slices.ContainsFunc(may, func(m Delivery) bool { return same(m, d) })
	}
}

// freedom is what a delivery shows to be free in it.
func (s *scene) freedom(d Delivery) Freedom {
	f, ip := Direct, d.Bytes
	if d.At != Underlay {
		f, ip = 0, packetIn(d.Bytes)
	} else if o, inner, err := readTunnel(d.Bytes); err == nil && o.Inner == packet.TypeTEB {
		f, ip = Tunnelled, packetIn(inner)
	}
	p, err := parseIP(ip)
	switch {
	case err != nil:
		return f
	case len(p.payload) > 0 && isError(p.proto, p.payload[0]):
		return f | Made | Quoting // with the destination's address, too: so tunnel devices say that a packet is too big
	case s.isGateway(p):
		return f | Made
	}
	return f
}

// packetIn is the IP packet in a frame, or nothing.
func packetIn(b []byte) []byte {
	f, err := parseFrame(b)
	if err != nil || f.Type != packet.TypeIPv4 && f.Type != packet.TypeIPv6 {
		return nil
	}
	return f.body
}

// isGateway reports whether a packet is of a gateway.
func (s *scene) isGateway(p ipPacket) bool {
	for _, n := range s.state.Networks {
		if p.src == n.GatewayMAC.LinkLocal() {
			return true
		}
		for _, g := range n.Gateways {
			if g.Addr() == p.src {
				return true
			}
		}
	}
	return false
}

// isError reports whether it is an ICMP error, or a redirect.
func isError(p packet.Protocol, kind uint8) bool {
	switch p {
	case packet.ProtoICMP:
		return packet.ICMPv4Type(kind).IsError()
	case packet.ProtoICMPv6:
		return packet.ICMPv6Type(kind).IsError() || packet.ICMPv6Type(kind) == packet.ICMPv6Redirect
	}
	return false
}
