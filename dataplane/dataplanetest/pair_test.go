package dataplanetest

import (
	"bytes"
	"slices"
	"testing"

	"weft/overlay"
	"weft/packet"
)

// inventive is a plane that also delivers what it should not.
type inventive struct {
	Harness
	also []Delivery
}

func (h *inventive) Deliveries() ([]Delivery, error) {
	got, err := h.Harness.Deliveries()
	return append(got, h.also...), err
}

// What a divergence excuses is what its plane is said to do, and nothing else about such a frame:
// not that the other plane does it, nor another frame, nor one in another network.
func TestDivergencesExcuseNothingElse(t *testing.T) {
	t.Parallel()
	for _, w := range worlds(overlay.EncapVXLAN) {
		s := w.sceneWithOffice()
		planes := [2]*inventive{{Harness: newMemoryHarness(t)}, {Harness: newMemoryHarness(t)}}
		p := newPair(t, [2]Harness{planes[0], planes[1]}, &[2]uint64{})
		t.Cleanup(func() { _ = p.oracle.Close() })
		p.apply(s.state, false)
		for name, in := range divergent(w) {
			if !slices.Equal(covering(s, in), []string{name}) {
				continue // of another world
			}
			if diff := p.differ(s, in); diff != "" {
				t.Fatalf("%s: %s: one plane is not like itself:\n%s", w.name(), name, diff)
			}
			for what, m := range inventions(w, s, name, in) {
				planes[m.plane].also = []Delivery{m.d}
				if p.differ(s, in) == "" {
					t.Errorf("%s: %s: excuses plane %d that delivers %s", w.name(), name, m.plane, what)
				}
				planes[m.plane].also = nil
			}
		}
	}
}

// invention is a delivery that a plane makes up.
type invention struct {
	plane int
	d     Delivery
}

// inventions are those that no divergence of that name excuses.
func inventions(w world, s *scene, name string, in wild) map[string]invention {
	a := s.arrival(in)
	passed := passedOn(w, a)
	other := slices.Clone(passed)
	other[len(other)-1] ^= 0x55
	elsewhere := Place{red, w.bob().name}
	m := map[string]invention{
		"another frame":                      {0, Delivery{At: w.bob().place(), Bytes: other}},
		"another frame, by programs":         {1, Delivery{At: w.bob().place(), Bytes: other}},
		"it in another network":              {0, Delivery{At: elsewhere, Bytes: passed}},
		"it in another network, by programs": {1, Delivery{At: elsewhere, Bytes: passed}},
	}
	i := slices.IndexFunc(Divergences(), func(d Divergence) bool { return d.Name == name })
	if d := Divergences()[i]; d.kernel == nil {
		m["what only programs do"] = invention{0, Delivery{At: w.bob().place(), Bytes: passed}}
	} else if d.programs == nil {
		m["what only the kernel does"] = invention{1, Delivery{At: w.bob().place(), Bytes: passed}}
	}
	return m
}

// passedOn is what a switch, or a router, makes of a frame; of what no router takes, a switch.
func passedOn(w world, a arrival) []byte {
	if w.kind == overlay.Bridged || !a.isIP || a.asks {
		return slices.Clone(a.frame.bytes)
	}
	return ethernet(blueVNI.GatewayMAC(), w.bob().mac, a.packet.etherType(), a.packet.hop())
}

// lossy is a plane that one kind of frame does not get through.
type lossy struct {
	Harness
	loses func(arrival) bool
	scene *scene
	lost  bool
}

func (h *lossy) Inject(at Place, b []byte) error {
	if h.lost = h.loses(h.scene.arrival(wild{at: at, bytes: b})); h.lost {
		return nil
	}
	return h.Harness.Inject(at, b)
}

// losses are kinds of frames, of which many are near to what divergences cover, and which planes
// may lose without anybody's excuse.
var losses = map[string]struct {
	plane int
	kind  func(arrival) bool
}{
	"everything, kernel":              {0, func(arrival) bool { return true }},
	"everything, programs":            {1, func(arrival) bool { return true }},
	"tags on bridges, kernel":         {0, func(a arrival) bool { return a.bridged && a.tagged && !a.asks }},
	"tags on bridges, programs":       {1, func(a arrival) bool { return a.bridged && a.tagged && !a.large }},
	"IPv4 options on bridges":         {1, func(a arrival) bool { return a.bridged && a.isIP && a.packet.dst.Is4() && a.packet.isExtended() }},
	"extension headers, kernel":       {0, func(a arrival) bool { return a.bridged && a.isIP && a.packet.dst.Is6() && a.packet.isExtended() }},
	"extension headers, programs":     {1, func(a arrival) bool { return a.isIP && a.packet.dst.Is6() && a.packet.isExtended() && a.at != Underlay }},
	"hop-by-hop options on routers":   {1, func(a arrival) bool { return a.routed && a.isIP && a.packet.proto == packet.ProtoHopByHop }},
	"fragments on routers":            {1, func(a arrival) bool { return a.routed && a.isIP && a.packet.dst.Is4() && !a.packet.whole }},
	"ARP and ND, kernel":              {0, func(a arrival) bool { return a.bridged && a.asks && !a.tagged }},
	"ARP and ND, programs":            {1, func(a arrival) bool { return a.bridged && a.asks && !a.tagged }},
	"link-local sources on bridges":   {1, func(a arrival) bool { return a.bridged && a.isIP && a.packet.src.IsLinkLocalUnicast() && !a.asks }},
	"frames for all, from the tunnel": {1, func(a arrival) bool { return a.at == Underlay && a.bridged && packet.IsGroup(a.frame.Dst) }},
}

// Whatever kind of frame a plane loses, the differential test finds out.
func TestDifferentialFindsLosses(t *testing.T) {
	t.Parallel()
	for name, loss := range losses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const most = 400
			for seed := range most {
				if loses(t, loss.plane, loss.kind, seed) {
					return
				}
			}
			t.Errorf("not found in %d States with 40 frames each", most)
		})
	}
}

// loses reports whether the planes differ over a frame that one loses, of some drawn by a seed.
func loses(t *testing.T, plane int, kind func(arrival) bool, seed int) bool {
	s, frames := example(seed)
	thief := &lossy{Harness: newMemoryHarness(t), loses: kind, scene: s}
	h := [2]Harness{newMemoryHarness(t), newMemoryHarness(t)}
	h[plane] = thief
	p := newPair(t, h, &[2]uint64{})
	defer func() { _ = p.oracle.Close() }()
	p.apply(s.state, false)
	for _, in := range frames {
		if in.segment > 0 {
			continue // no memory cuts them
		}
		diff := p.differ(s, wild{at: in.at, bytes: bytes.Clone(in.bytes)})
		switch {
		case diff != "" && thief.lost:
			return true
		case thief.lost: // nobody misses it; but what it would have taught
			return false
		case diff != "":
			t.Fatalf("one plane is not like itself: in %s, %s\n%s", describe(Delivery{At: in.at, Bytes: in.bytes}), in.how, diff)
		}
	}
	return false
}
