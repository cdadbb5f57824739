package dataplanetest

import (
	"net/netip"
	"slices"
	"testing"

	"weft/dataplane"
	"weft/overlay"
)

// Harness is a node with the plane under test on it, in an environment that
// nobody else uses: ports whose far ends the suite holds, and an underlay of
// which it is all the rest.
type Harness interface {
	// Apply has the plane make the node match want, and attaches to its ports. The
	// States of the suite leave Port.Attach to the harness.
	Apply(want dataplane.State, since *dataplane.Delta) error
	// Inject puts a frame into a port, as if its endpoint had sent it, or a
	// packet into the underlay, as if another node had.
	Inject(at Place, frame []byte) error
	// Deliveries returns what has come out since it was called last. It waits
	// until all that was injected has gone through the plane.
	//
	// At the underlay it leaves out what the host says for itself: ARP, ND and
	// errors about packets that are not Weft's.
	Deliveries() ([]Delivery, error)
	// Drops returns how many packets the plane has dropped, by reason.
	Drops() (map[overlay.DropReason]uint64, error)
	// Untold are the reasons that the plane cannot tell; packets dropped for
	// these are not in Drops.
	Untold() []overlay.DropReason
}

// Witness is a Harness that can say what a plane changes on its host.
type Witness interface {
	// Changes returns what was changed while f ran, a line each.
	Changes(f func() error) ([]string, error)
}

// UnderlayMTU of the node, in bytes.
const UnderlayMTU = 1500

// Local is the node's underlay address of a family, with its segment.
func Local(f overlay.Family) netip.Prefix { return netip.PrefixFrom(underlay(f, 1), underlayBits(f)) }

// underlay is the nth node's underlay address.
func underlay(f overlay.Family, n byte) netip.Addr {
	if f == overlay.V4 {
		return netip.AddrFrom4([4]byte{192, 0, 2, n})
	}
	return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: n})
}

func underlayBits(f overlay.Family) int {
	if f == overlay.V4 {
		return 24
	}
	return 64
}

// Run holds a plane to the contract, with networks of VXLAN. Each subtest gets a harness of its own, which new
// makes and, by t.Cleanup, takes down.
func Run(t *testing.T, new func(t testing.TB) Harness) {
	RunEncapsulation(t, overlay.EncapVXLAN, new)
}

// RunEncapsulation is Run with networks of another encapsulation, of every kind and family
// that it carries, for a plane that does it: vxlan, geneve, gre, ipip, sit or udp.
func RunEncapsulation(t *testing.T, e overlay.Encapsulation, new func(t testing.TB) Harness) {
	runWorlds(t, worlds(e), new)
	t.Run("random", func(t *testing.T) {
		t.Parallel()
		runRandom(t, e, lending{new(t)})
	})
}

// RunBriefly is Run for another way to attach ports, on a plane that passes Run: each
// kind of network once, each family inside and outside.
func RunBriefly(t *testing.T, new func(t testing.TB) Harness) {
	RunEncapsulationBriefly(t, overlay.EncapVXLAN, new)
}

// RunEncapsulationBriefly is RunBriefly with networks of another encapsulation.
func RunEncapsulationBriefly(t *testing.T, e overlay.Encapsulation, new func(t testing.TB) Harness) {
	runWorlds(t, fewWorlds(e), new)
}

// RunCases is RunEncapsulationBriefly for a kind of network with some of the cases, by name, where
// all take too long. A name that is no case's fails the test.
func RunCases(t *testing.T, e overlay.Encapsulation, kind overlay.NetworkKind, names []string, new func(t testing.TB) Harness) {
	some := slices.DeleteFunc(cases(), func(c testCase) bool { return !slices.Contains(names, c.name) })
	for _, name := range names {
		if !slices.ContainsFunc(some, func(c testCase) bool { return c.name == name }) {
			t.Errorf("there is no case %q", name)
		}
	}
	for _, w := range fewWorlds(e) {
		if w.kind == kind {
			t.Run(w.name(), func(t *testing.T) { runCases(t, lending{new(t)}, w, some) })
		}
	}
}

func runWorlds(t *testing.T, worlds []world, new func(t testing.TB) Harness) {
	for _, w := range worlds {
		t.Run(w.name(), func(t *testing.T) {
			t.Parallel()
			runCases(t, lending{new(t)}, w, cases())
		})
	}
}

func runCases(t *testing.T, h Harness, w world, cases []testCase) {
	b := &bench{h: h}
	for _, c := range cases {
		if !c.fits(w) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			for _, err := range b.examine(w, c) {
				t.Error(err)
			}
		})
	}
}

// placed returns a copy of s in which every port went through place.
func placed(s dataplane.State, place func(overlay.NetworkName, dataplane.Port) dataplane.Port) dataplane.State {
	networks := map[overlay.NetworkName]dataplane.Network{}
	for name, n := range s.Networks {
		ports := map[overlay.EndpointName]dataplane.Port{}
		for e, p := range n.Ports {
			ports[e] = place(name, p)
		}
		n.Ports = ports
		networks[name] = n
	}
	s.Networks = networks
	return s
}

// Placed returns a copy of a State and the Delta that leads to it in which every
// port went through place; what a harness needs to say where its ports are.
func Placed(s dataplane.State, since *dataplane.Delta, place func(overlay.NetworkName, dataplane.Port) dataplane.Port) (dataplane.State, *dataplane.Delta) {
	s = placed(s, place)
	if since == nil {
		return s, nil
	}
	d := *since
	d.Networks = map[overlay.NetworkName]dataplane.NetworkDelta{}
	for name, n := range since.Networks {
		set := map[overlay.EndpointName]dataplane.Port{}
		for e, p := range n.Ports.Set {
			set[e] = place(name, p)
		}
		n.Ports.Set = set
		d.Networks[name] = n
	}
	return s, &d
}
