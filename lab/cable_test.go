package lab_test

import (
	"net/netip"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/lab"
)

// cabled is two machines on a cable.
func cabled() lab.Topology {
	end := func(address string) []lab.NIC {
		return []lab.NIC{{Segment: "wire", Addresses: []netip.Prefix{netip.MustParsePrefix(address)}}}
	}
	return lab.Topology{
		Name:     "cabled",
		Segments: []lab.Segment{{Name: "wire", MTU: 1400, Cable: true}},
		Machines: []lab.Machine{{Name: "a", NICs: end("192.0.2.1/24")}, {Name: "b", NICs: end("192.0.2.2/24")}},
	}
}

func TestCable(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "ping", "ip")
	l := build(t, cabled())
	if err := pingAll(t.Context(), l, "-M", "do", "-s", "1372"); err != nil {
		t.Error(err)
	}
	links, err := l.Underlay().Run(t.Context(), "ip", "-o", "link")
	if err != nil || strings.Count(links, "\n") != 1 {
		t.Errorf("between a cable's ends there is more than the loopback: %s %v", links, err)
	}
}

func TestACableHasTwoEnds(t *testing.T) {
	t.Parallel()
	one := cabled()
	one.Machines = one.Machines[:1]
	if err := one.Validate(); err == nil || err.Error() != "segment wire: a cable has 2 ends, not 1" {
		t.Errorf("got %v", err)
	}
}
