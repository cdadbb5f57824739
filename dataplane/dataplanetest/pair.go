package dataplanetest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weft/dataplane"
	"weft/overlay"
	"weft/packet"
)

// RunDifferential holds two planes to each other where the contract has no word: whatever
// frame comes in, how wrong it may be, both deliver the same. States and frames are random,
// networks of VXLAN: a few that are the same each time, and then others for some time. What
// they may do differently all the same is the list [Divergences].
func RunDifferential(t *testing.T, most time.Duration, kernel, programs func(t testing.TB) Harness) {
	p := planes{h: [2]Harness{lending{kernel(t)}, lending{programs(t)}}}
	const examples = 10
	for seed := range examples {
		p.runExample(t, seed)
	}
	start := time.Now()
	for enough := budget(most); ; {
		rapid.Check(t, func(t *rapid.T) {
			if !enough(t) {
				p.runRandom(t)
			}
		})
		if t.Failed() || time.Since(start) > most {
			return
		}
	}
}

// planes are two, which whatever is run leaves to the next run as they are.
type planes struct {
	h          [2]Harness
	generation [2]uint64
}

func (p *planes) runExample(t *testing.T, seed int) {
	s, frames := example(seed)
	both := p.begin(t)
	defer both.oracle.Close()
	both.apply(s.state, false)
	for _, in := range frames {
		both.inject(s, in)
	}
	if t.Failed() {
		t.Fatalf("in example %d", seed)
	}
}

func (p *planes) runRandom(t *rapid.T) {
	both := p.begin(t)
	defer both.oracle.Close()
	for range rapid.IntRange(1, 3).Draw(t, "states") {
		s := drawScene(t, overlay.EncapVXLAN)
		both.apply(s.state, rapid.Bool().Draw(t, "tell what changed"))
		for range rapid.IntRange(10, 40).Draw(t, "frames") {
			both.inject(s, s.drawWild(t))
		}
	}
}

// begin has both planes forget what was run before.
func (p *planes) begin(t rapid.TB) *pair {
	both := newPair(t, p.h, &p.generation)
	both.apply(dataplane.State{Node: here}, false)
	return both
}

// example is a State, and what comes in: the same for the same seed.
func example(seed int) (*scene, []wild) {
	const frames = 40
	s := rapid.Custom(func(t *rapid.T) *scene { return drawScene(t, overlay.EncapVXLAN) }).Example(seed)
	return s, rapid.SliceOfN(rapid.Custom(s.drawWild), frames, frames).Example(seed)
}

// pair has two planes do the same.
type pair struct {
	t          rapid.TB
	h          [2]Harness
	oracle     *Memory // which knows what the contract leaves open
	generation *[2]uint64
	last       [2]dataplane.State
	large      []arrival // since the last Apply: a gateway may tell the sender when it has found it
}

func newPair(t rapid.TB, h [2]Harness, generation *[2]uint64) *pair {
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
		p.large = nil
		p.collect(h) // what new ports say for themselves is nobody's delivery
	}
	if err := p.oracle.Apply(context.Background(), s, nil); err != nil {
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
	if diff := p.differ(s, in); diff != "" {
		p.t.Errorf("in %s, %s\n%x\n%s", describe(Delivery{At: in.at, Bytes: in.bytes}), in.how, in.bytes, diff)
	}
}

// differ injects into both, and says in what they differ that nothing excuses: what the first
// has and the second has not is missing.
func (p *pair) differ(s *scene, in wild) string {
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
	a := s.arrival(in)
	if a.isTooLarge() {
		p.large = append(p.large, a)
	}
	may := p.optional(in, a)
	one = slices.DeleteFunc(one, func(d Delivery) bool { return may(d) || a.excuses(d, Divergence.ofKernel) })
	other = slices.DeleteFunc(other, func(d Delivery) bool { return may(d) || a.excuses(d, Divergence.ofPrograms) })
	if len(one)+len(other) == 0 {
		return ""
	}
	return differences(one, other) + list("the first delivers", got[0]) + list("the second delivers", got[1])
}

// list has a line for each delivery, in no order.
func list(head string, all []Delivery) string {
	lines := []string{head}
	for _, d := range all {
		lines = append(lines, describe(d))
	}
	return strings.Join(lines, "\n    ") + "\n"
}

// optional tells the deliveries of a frame that may be missing: those that the contract says
// so of, and ICMP errors about it, of which random frames may cause more than a host sends.
func (p *pair) optional(in wild, a arrival) func(Delivery) bool {
	var may []Delivery
	if in.segment == 0 {
		for _, d := range p.oracle.Inject(in.at, in.bytes) {
			if d.Freedom&Optional != 0 {
				may = append(may, unpadded(d))
			}
		}
	}
	return func(d Delivery) bool {
		return a.isQuotedIn(d) || slices.ContainsFunc(p.large, func(a arrival) bool { return a.isQuotedIn(d) }) ||
			slices.ContainsFunc(may, func(m Delivery) bool { return same(m, d) })
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
