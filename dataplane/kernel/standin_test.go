package kernel

import (
	"slices"
	"testing"

	"weft/dataplane"
	"weft/overlay"
)

// Over stand-ins a network is what it is over its ports, but for what the workloads'
// interfaces have; with both, it is at the ports.
func TestStandIns(t *testing.T) {
	t.Parallel()
	for _, kind := range []overlay.NetworkKind{overlay.Bridged, overlay.Routed} {
		for _, plane := range []overlay.PlaneName{overlay.PlaneKernel, overlay.PlaneEBPF} {
			n := node(kind, overlay.V4, func(n *dataplane.Network) { n.Plane = plane }).Networks["blue"]
			own := LowerNetwork(n, "/run/netns")
			over := lowerStoodIn(stoodIn(n, isAny), "/run/netns")
			if len(over.Links) != len(own.Links) || len(over.Stations) != len(own.Stations) || len(over.Neighbors) != len(own.Neighbors) {
				t.Errorf("%s on %s: %d links, %d stations, %d neighbours over stand-ins, want %d, %d, %d", kind, plane,
					len(over.Links), len(over.Stations), len(over.Neighbors), len(own.Links), len(own.Stations), len(own.Neighbors))
			}
			both := lowerBoth(n, "/run/netns")
			for name, p := range n.Ports {
				far := LinkID{NS(p.Attach.Target), interfaceOf(p)}
				if _, there := over.Links[far]; there == standsIn(p) {
					t.Errorf("%s on %s: %s of %s is there: %t", kind, plane, far.Name, name, there)
				}
				for a := range over.Addresses {
					if standsIn(p) && a.Link.NS == far.NS {
						t.Errorf("%s on %s: a stand-in has address %s", kind, plane, a.Prefix)
					}
				}
				at, ok := both.Stations[StationKey{LinkID{DomainNS("/run/netns", "blue"), bridgeName}, p.MAC}]
				if ok && at.Port != p.Device {
					t.Errorf("%s on %s: with both, %s is at %s, want %s", kind, plane, name, at.Port, p.Device)
				}
			}
			if beside := over.withoutTunnel(); slices.ContainsFunc(linksIn(beside), func(l Link) bool { return l.Kind == KindVXLAN }) || len(beside.Tunnels) > 0 {
				t.Errorf("%s on %s: something of a tunnel is left", kind, plane)
			}
		}
	}
}

func linksIn(o Objects) (all []Link) {
	for _, l := range o.Links {
		all = append(all, l)
	}
	return all
}

// The ends of ports move, and no others; what has moved stays.
func TestMoving(t *testing.T) {
	t.Parallel()
	const ns = "/run/netns/weft-blue"
	n := programmedNet("192.0.2.1")
	n.Plane = overlay.PlaneKernel
	have := LowerNetwork(n, "/run/netns")
	n.Plane = overlay.PlaneEBPF
	ops, after := have.moving(n, ns)
	want := []string{"ip -n weft-blue link set wfveth netns 1", "ip -n weft-blue link set wfweb netns 1"}
	if got := commandsOf(ops); !slices.Equal(got, want) {
		t.Errorf("to the eBPF plane: %q, want %q", got, want)
	}
	if again, _ := after.moving(n, ns); len(again) > 0 {
		t.Errorf("to do once more: %q", commandsOf(again))
	}
	n.Plane = overlay.PlaneKernel
	ops, _ = after.moving(n, ns)
	if got := commandsOf(ops); !slices.Equal(got, []string{"ip link set wfveth netns weft-blue", "ip link set wfweb netns weft-blue"}) {
		t.Errorf("back: %q", got)
	}
}

func commandsOf(ops []Op) (all []string) {
	for _, op := range ops {
		all = append(all, op.String())
	}
	return all
}
