package e2e

import (
	"fmt"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
)

// TestWithoutEncapsulation: a network of encapsulation none works between the hosts on
// one segment. Across the router it is refused: who creates it and who attaches hears
// which nodes and why, and so does who asks for the status, on both sides.
func TestWithoutEncapsulation(t *testing.T) {
	t.Parallel()
	s := begin(t)
	testenv.Eventually(t, patience, func() error { return saysAll(s.a.weft("node ls"), "198.51.100.13") }, "c is registered")
	testenv.Eventually(t, patience, func() error { return saysAll(s.a.weft("node ls"), "192.0.2.12") }, "b is registered")
	s.a.try("network create green --kind routed --encapsulation none --subnet 10.8.0.0/16").warned(t,
		"network green", "192.0.2.0/24 (a, b)", "198.51.100.0/24 (c)", "encapsulation vxlan with --direct-routing")
	near := []*workload{s.a.attach("green"), s.b.attach("green")}
	s.settled()
	s.pings(near[0].Namespace, near[1].address(overlay.V4).String())
	s.pings(near[1].Namespace, near[0].address(overlay.V4).String())

	ns := s.c.namespace("far")
	s.c.try("endpoint attach green --netns %s --name far", nameOf(ns)).warned(t,
		"network green", "node a", "node b", "192.0.2.0/24", "node c on 198.51.100.0/24", "use encapsulation vxlan, with directRouting")
	for _, tt := range []struct {
		at, other *host
		segments  []string
	}{
		{s.a, s.c, []string{"node c is on 198.51.100.0/24", "node a on 192.0.2.0/24"}},
		{s.b, s.c, []string{"node c is on 198.51.100.0/24", "node b on 192.0.2.0/24"}},
		{s.c, s.a, []string{"node a is on 192.0.2.0/24", "node c on 198.51.100.0/24"}},
		{s.c, s.b, []string{"node b is on 192.0.2.0/24", "node c on 198.51.100.0/24"}},
	} {
		says := append(tt.segments, fmt.Sprintf("%s: green: no route to 10.8.", tt.at.Name()), "use encapsulation vxlan, with directRouting")
		testenv.Eventually(t, patience, func() error { return saysAll(tt.at.weft("status --local"), says...) }, "status on "+tt.at.Name())
	}
	var far overlay.Endpoint
	s.c.read(&far, "endpoint show green/far")
	if err := ping(t.Context(), near[0].Namespace, far.Spec.Addresses[0].String()); err == nil {
		t.Error("the workload behind the router answers")
	}
	s.pings(near[0].Namespace, near[1].address(overlay.V4).String()) // as before

	// What the messages advise works.
	s.a.weft("network create teal --kind routed --direct-routing --subnet 10.9.0.0/16")
	all := s.attachEverywhere("teal")
	for _, to := range all[1:] {
		s.pings(all[0].Namespace, to.address(overlay.V4).String())
	}
}
