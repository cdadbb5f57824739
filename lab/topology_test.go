package lab_test

import (
	"net/netip"
	"strings"
	"testing"

	"weft/lab"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	if err := lab.Demo("demo").Validate(); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		change func(*lab.Topology)
		want   string
	}{
		{func(t *lab.Topology) { t.Name = "" }, `lab name ""`},
		{func(t *lab.Topology) { t.Name = "../x" }, `lab name "../x"`},
		{func(t *lab.Topology) { t.Name = "a.b" }, `lab name "a.b"`},
		{func(t *lab.Topology) { t.Segments[1].Name = "near" }, `segment "near"`},
		{func(t *lab.Topology) { t.Segments[1].MTU = 1279 }, "segment far: MTU 1279"},
		{func(t *lab.Topology) { t.Machines[1].Name = "a" }, `machine "a"`},
		{func(t *lab.Topology) { t.Machines[1].Name = "underlay" }, `machine "underlay"`},
		{func(t *lab.Topology) { t.Machines[1].Name = "too-long-a-name" }, `machine "too-long-a-name"`},
		{func(t *lab.Topology) { t.Machines[2].NICs[0].Segment = "wide" }, `machine c: eth0: no segment "wide"`},
		{func(t *lab.Topology) { t.Machines[2].NICs[0].Addresses[0] = netip.Prefix{} }, "machine c: eth0: an address is not set"},
		{func(t *lab.Topology) { t.Machines[2].Gateways[0] = netip.MustParseAddr("192.0.2.1") }, "machine c: gateway 192.0.2.1: on no segment"},
	} {
		topology := lab.Demo("demo")
		tt.change(&topology)
		if err := topology.Validate(); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("want %s…, got %v", tt.want, err)
		}
	}
}
