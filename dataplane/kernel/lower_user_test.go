package kernel

import (
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
)

// onUserPlane puts a network on the user plane.
func onUserPlane(n *dataplane.Network) {
	n.Plane, n.Encapsulation, n.Port = overlay.PlaneUser, overlay.EncapUDP, overlay.DefaultUDPPort
	n.MTU = bedMTU - 28
}

// The domain is as on the kernel plane, with a TUN link; what is carried by that is told in words.
func TestExplainUserPlane(t *testing.T) {
	t.Parallel()
	lines := Explain(node(overlay.Routed, overlay.V4, onUserPlane), "/run/netns", nil)
	testenv.Golden(t, "explain/routed-udp.txt", strings.Join(lines, "\n")+"\n")
}

// What a Delta changes is what comparing everything does.
func TestUserPlaneFollowsDeltas(t *testing.T) {
	t.Parallel()
	old := node(overlay.Routed, overlay.V6, onUserPlane).Networks["blue"]
	for name, change := range map[string]func(*dataplane.Network){
		"a member that has gone": without("b"),
		"another address": func(n *dataplane.Network) {
			n.Members["b"] = dataplane.Member{VTEP: netip.MustParseAddr("2001:db8::77"), VTEPMAC: n.Members["b"].VTEPMAC}
		},
		"another block": func(n *dataplane.Network) {
			n.Routes[netip.MustParsePrefix("10.7.200.0/24")] = dataplane.Route{Node: "c"}
		},
		"no port": noPorts,
	} {
		next := old
		next.Members, next.Routes, next.Ports = maps.Clone(old.Members), maps.Clone(old.Routes), maps.Clone(old.Ports)
		change(&next)
		d := dataplane.Between(stateOf(old), stateOf(next)).Networks["blue"]
		was, want := LowerChange(old, next, d, "/run/netns")
		got := opLines(Diff(want, was))
		all := opLines(Diff(LowerNetwork(next, "/run/netns"), LowerNetwork(old, "/run/netns")))
		if diff := cmp.Diff(all, got); diff != "" {
			t.Errorf("%s: everything (-), delta (+):\n%s", name, diff)
		}
		if len(got) == 0 {
			t.Errorf("%s changes nothing", name)
		}
	}
}

func stateOf(n dataplane.Network) dataplane.State {
	return dataplane.State{Networks: map[overlay.NetworkName]dataplane.Network{n.Name: n}}
}

func opLines(ops []Op) (lines []string) {
	for _, op := range ops {
		lines = append(lines, op.String())
	}
	return lines
}

// Of a network that goes, the forwarder lets go first: it keeps the namespace alive.
func TestUserPlaneLetsGoFirst(t *testing.T) {
	t.Parallel()
	have := LowerNetwork(node(overlay.Routed, overlay.V4, onUserPlane).Networks["blue"], "/run/netns")
	ops := opLines(Diff(NewObjects(), have))
	if len(ops) == 0 || ops[0] != "weftd forward: nothing more of tun0 in weft-blue" {
		t.Errorf("%q", ops)
	}
}
