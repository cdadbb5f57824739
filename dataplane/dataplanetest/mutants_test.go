package dataplanetest

import (
	"net/netip"
	"slices"
	"testing"

	"weft/dataplane"
	"weft/overlay"
	"weft/packet"
)

// altered is a plane that gets something wrong. A nil func leaves things as they are.
type altered struct {
	Harness
	// applies changes what the plane is told.
	applies func(dataplane.Network) dataplane.Network
	// hears changes what it hears of an Apply.
	hears func(*dataplane.State, *dataplane.Delta)
	// takes changes what comes in at the underlay.
	takes func([]byte) []byte
	// delivers changes what comes out.
	delivers func([]Delivery) []Delivery
	// floods changes which ports may flood to other nodes, by the right answer.
	floods func(right func(Place) bool) func(Place) bool
	// counts changes the drop counters.
	counts func(map[overlay.DropReason]uint64)
}

func (h *altered) Apply(want dataplane.State, since *dataplane.Delta) error {
	if h.hears != nil {
		var heard dataplane.Delta
		if since != nil {
			heard, since = *since, &heard
		}
		h.hears(&want, since)
		return h.Harness.Apply(want, since)
	}
	if h.applies == nil {
		return h.Harness.Apply(want, since)
	}
	networks := map[overlay.NetworkName]dataplane.Network{}
	for name, n := range want.Networks {
		networks[name] = h.applies(n)
	}
	want.Networks = networks
	return h.Harness.Apply(want, nil)
}

func (h *altered) Inject(at Place, b []byte) error {
	if at == Underlay && h.takes != nil {
		b = h.takes(slices.Clone(b))
	}
	return h.Harness.Inject(at, b)
}

func (h *altered) Deliveries() ([]Delivery, error) {
	got, err := h.Harness.Deliveries()
	if h.delivers != nil {
		got = h.delivers(got)
	}
	return got, err
}

func (h *altered) Drops() (map[overlay.DropReason]uint64, error) {
	drops, err := h.Harness.Drops()
	if h.counts != nil {
		h.counts(drops)
	}
	return drops, err
}

// failing are the cases that a plane fails, in every world.
func failing(t *testing.T, h altered, e overlay.Encapsulation) (failed []string, all int) {
	for _, w := range worlds(e) {
		m := newMemoryHarness(t)
		if h.floods != nil {
			m.plane.mayFlood = h.floods(m.plane.mayFlood)
		}
		h.Harness = m
		b := &bench{h: &h}
		for _, c := range cases() {
			if c.fits(w) {
				all++
				if len(b.examine(w, c)) > 0 {
					failed = append(failed, w.name()+" "+c.name)
				}
			}
		}
	}
	return failed, all
}

// A plane that stores but does not forward passes no case but those in which
// nothing is to come out, and where it must count, not even these.
func TestIdlePlaneFails(t *testing.T) {
	t.Parallel()
	nothing := func([]Delivery) []Delivery { return nil }
	failed, all := failing(t, altered{delivers: nothing, counts: func(m map[overlay.DropReason]uint64) { clear(m) }}, overlay.EncapVXLAN)
	// A tunnel packet to a UDP port that nobody listens on, or of an encapsulation that
	// nobody has, is nobody's business.
	if want := all - 2*len(worlds(overlay.EncapVXLAN)); len(failed) != want {
		t.Errorf("fails %d of %d cases, want %d", len(failed), all, want)
	}
	if failed, _ := failing(t, altered{delivers: nothing}, overlay.EncapVXLAN); len(failed) < all*2/3 {
		t.Errorf("counts but does not forward: fails %d of %d cases only", len(failed), all)
	}
}

func TestRightPlanePasses(t *testing.T) {
	t.Parallel()
	for _, e := range append(encapsulations, overlay.EncapVXLAN) {
		if failed, _ := failing(t, altered{}, e); len(failed) > 0 {
			t.Errorf("%s: fails %q", e, failed)
		}
	}
}

// Every mistake in forwarding is one that some case finds.
func TestMutantsFail(t *testing.T) {
	t.Parallel()
	for name, mutant := range mutants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failed, all := failing(t, mutant, overlay.EncapVXLAN)
			if len(failed) == 0 {
				t.Errorf("passes all %d cases", all)
			}
			t.Logf("fails %d of %d cases", len(failed), all)
		})
	}
}

func mutants() map[string]altered {
	m := map[string]altered{
		"counts nothing": {counts: func(m map[overlay.DropReason]uint64) { clear(m) }},
		"drops for another reason": {counts: func(m map[overlay.DropReason]uint64) {
			m[overlay.DropSpoofedMAC], m[overlay.DropSpoofedIP] = m[overlay.DropSpoofedIP], m[overlay.DropSpoofedMAC]
		}},
		"holds nothing": {hears: func(s *dataplane.State, d *dataplane.Delta) {
			s.Held = nil
			if d != nil {
				d.Held = nil
			}
		}},
		"leaves behind what has gone": {hears: func(_ *dataplane.State, d *dataplane.Delta) {
			if d == nil {
				return
			}
			networks := map[overlay.NetworkName]dataplane.NetworkDelta{}
			for name, n := range d.Networks {
				n.Ports.Gone, n.Remotes.Gone, n.Neighbors.Gone, n.Members.Gone, n.Routes.Gone = nil, nil, nil, nil, nil
				networks[name] = n
			}
			d.Networks = networks
		}},
		"takes any Delta": {hears: func(s *dataplane.State, d *dataplane.Delta) {
			if d != nil {
				d.From = s.Generation - 1
			}
		}},
		"lets storms through": {floods: func(func(Place) bool) func(Place) bool { return func(Place) bool { return true } }},
		"has one bucket for all ports": {floods: func(right func(Place) bool) func(Place) bool {
			return func(Place) bool { return right(Place{blue, "alice"}) }
		}},
		"lets half a burst through": {floods: func(right func(Place) bool) func(Place) bool {
			return func(at Place) bool { right(at); return right(at) }
		}},
		"delivers twice": {delivers: func(d []Delivery) []Delivery { return append(d, d...) }},
	}
	for name, change := range stateMutants() {
		m[name] = altered{applies: change}
	}
	for name, change := range byteMutants() {
		m[name] = altered{delivers: func(d []Delivery) []Delivery { return eachBytes(d, change) }}
	}
	return m
}

// stateMutants are planes that take less of a State than they should.
func stateMutants() map[string]func(dataplane.Network) dataplane.Network {
	ports := func(change func(*dataplane.Port)) func(dataplane.Network) dataplane.Network {
		return func(n dataplane.Network) dataplane.Network {
			changed := map[overlay.EndpointName]dataplane.Port{}
			for name, p := range n.Ports {
				change(&p)
				changed[name] = p
			}
			n.Ports = changed
			return n
		}
	}
	return map[string]func(dataplane.Network) dataplane.Network{
		"suppresses no ARP and ND": func(n dataplane.Network) dataplane.Network { n.Neighbors = nil; return n },
		"ignores bum none":         func(n dataplane.Network) dataplane.Network { n.BUM = overlay.BUMReplicate; return n },
		"replicates nothing":       func(n dataplane.Network) dataplane.Network { n.BUM = overlay.BUMNone; return n },
		"has no gateway":           func(n dataplane.Network) dataplane.Network { n.Gateways = nil; return n },
		"knows no remotes":         func(n dataplane.Network) dataplane.Network { n.Remotes, n.Routes = nil, nil; return n },
		"cuts the VNI to 16 bits":  func(n dataplane.Network) dataplane.Network { n.VNI &= 0xffff; return n },
		"has one MAC for all gateways": func(n dataplane.Network) dataplane.Network {
			n.GatewayMAC = blueVNI.GatewayMAC()
			return n
		},
		"waits for stations to speak": ports(func(p *dataplane.Port) { p.Stations = nil }),
		"forgets link-local addresses": ports(func(p *dataplane.Port) {
			p.Allowed = slices.DeleteFunc(slices.Clone(p.Allowed), netip.Addr.IsLinkLocalUnicast)
		}),
		"allows all of the subnet": ports(func(p *dataplane.Port) {
			p.Allowed = slices.Clone(p.Allowed)
			for share := range byte(4) {
				for pos := range byte(100) {
					p.Allowed = append(p.Allowed, inSubnet(overlay.V4, share, pos), inSubnet(overlay.V6, share, pos))
				}
			}
		}),
		"filters nothing": ports(func(p *dataplane.Port) { p.Kind = overlay.PortSegment }),
		"accepts any VTEP": func(n dataplane.Network) dataplane.Network {
			members := map[overlay.NodeName]dataplane.Member{}
			for _, node := range []overlay.NodeName{nodeB, nodeC, nodeD} {
				members[node] = dataplane.Member{VTEP: vtepOf(overlay.FamilyOf(n.Local), node), VTEPMAC: overlay.VTEPMACFor(node)}
			}
			n.Members = members
			return n
		},
	}
}

func eachBytes(d []Delivery, change func(at Place, b []byte) []byte) []Delivery {
	d = slices.Clone(d)
	for i := range d {
		d[i].Bytes = change(d[i].At, slices.Clone(d[i].Bytes))
	}
	return d
}

// byteMutants are planes that get the bytes wrong.
func byteMutants() map[string]func(Place, []byte) []byte {
	port := func(change func(b []byte) []byte) func(Place, []byte) []byte {
		return func(at Place, b []byte) []byte {
			if at == Underlay {
				return b
			}
			return change(b)
		}
	}
	return map[string]func(Place, []byte) []byte{
		"pads frames": port(func(b []byte) []byte { return append(b, 0) }),
		"swaps MACs": port(func(b []byte) []byte {
			return slices.Concat(b[6:12], b[0:6], b[12:])
		}),
		"sends wrong checksums": port(func(b []byte) []byte {
			b[len(b)-1]++
			return b
		}),
		"loses the TTL": port(func(b []byte) []byte {
			f, err := parseFrame(b)
			if p, ok := f.ip(); err == nil && ok && p.ttl > 0 {
				return ethernet(f.Src, f.Dst, f.Type, p.with(p.ttl-1, p.tos))
			}
			return b
		}),
		"sends the wrong VNI": func(at Place, b []byte) []byte {
			if at == Underlay {
				b[vniOffset(b)]++
			}
			return b
		},
		"sends to another UDP port": func(at Place, b []byte) []byte {
			if at == Underlay {
				b[vniOffset(b)-12-1]++
			}
			return b
		},
	}
}

// vniOffset is where the last byte of the VNI stands.
func vniOffset(b []byte) int {
	if b[0]>>4 == 4 {
		return packet.IPv4MinLen + packet.UDPLen + 6
	}
	return packet.IPv6Len + packet.UDPLen + 6
}
