package kernel

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
)

// The explain oracle: the commands that Explain prints, run by the real tools on a
// fresh host, make the same of it as the plane does on another one. What the
// hosts have is read by the tools too. Nothing of it is left out of the
// comparison but what incidental names.
func TestExplainBuildsTheSame(t *testing.T) {
	t.Parallel()
	for name, state := range oracleStates() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			byPlane, byHand := newOracleHost(t, state, false), newOracleHost(t, state, state.named)
			byPlane.apply()
			if err := byHand.run(byHand.explain()); err != nil {
				t.Fatal(err)
			}
			// Neither waits for what the kernel finishes in the background: IPv6 link-local addresses
			// are tentative for a while.
			testenv.Eventually(t, time.Minute, func() error {
				return byPlane.dump(incidental).difference(byHand.dump(incidental))
			}, "the commands make what the plane makes")
		})
	}
}

// oracleState is a State and how it is explained.
type oracleState struct {
	kind     overlay.NetworkKind
	underlay overlay.Family
	edits    []func(*dataplane.Network)
	// tunnels stand alone.
	tunnels []dataplane.Tunnel
	// named: the commands make the network's namespace where ip netns has its own.
	named bool
}

// oracleStates are those that have all kinds of commands among them.
func oracleStates() map[string]oracleState {
	bridged := func(edits ...func(*dataplane.Network)) oracleState {
		return oracleState{kind: overlay.Bridged, underlay: overlay.V4, edits: edits}
	}
	routed := func(edits ...func(*dataplane.Network)) oracleState {
		return oracleState{kind: overlay.Routed, underlay: overlay.V4, edits: edits}
	}
	over6 := func(s oracleState) oracleState {
		s.underlay = overlay.V6
		return s
	}
	named := func(s oracleState) oracleState {
		s.named = true
		return s
	}
	return map[string]oracleState{
		"bridged v4":         bridged(only(overlay.V4)),
		"bridged v6":         bridged(only(overlay.V6)),
		"bridged, ip netns":  named(bridged()),
		"bridged over v6":    over6(bridged()),
		"bridged, no BUM":    bridged(bumNone),
		"bridged, all ports": bridged(allPorts, publishing),
		"multicast":          bridged(grouped, ofPort8472),
		"multicast over v6":  over6(bridged(grouped)),
		"learning":           bridged(learning, allPorts),
		"outer headers":      bridged(outer),
		"outer over v6":      over6(routed(outer)),
		"routed, ip netns":   named(routed()),
		"routed over v6":     over6(routed()),
		"routed, all ports":  routed(allPorts),
		"routed, direct":     routed(directTo("b")),
		"tunnels":            bridged(noPorts).with(vxlanTunnel(), vxlanTunnel6(), vxlanGroup()),
		"routed, none":       routed(directTo("b", "c"), unencapsulated),
	}
}

// allPorts adds a port of each type to that in the workload's namespace.
func allPorts(n *dataplane.Network) {
	n.Ports = maps.Clone(n.Ports)
	add := func(name overlay.EndpointName, device string, at overlay.Attach) {
		p := n.Ports["e0"]
		p.Name, p.Device, p.Attach = name, device, at
		p.MAC[4] = byte(len(n.Ports))
		p.Addresses = append(p.Addresses[:0:0], p.Addresses...)
		for i, a := range p.Addresses {
			b := a.AsSlice()
			b[len(b)-1] += byte(len(n.Ports)) << 4
			p.Addresses[i] = addressOf(b)
		}
		p.Addresses[len(p.Addresses)-1] = p.MAC.LinkLocal()
		p.Allowed = p.Addresses
		if at.Type == overlay.AttachBridge {
			p.Kind, p.MAC, p.Addresses, p.Allowed = overlay.PortSegment, overlay.MAC{}, nil, nil
		}
		n.Ports[name] = p
	}
	add("vm", "wvm", overlay.Attach{Type: overlay.AttachTap, Target: "tap0"})
	add("own", "wown", overlay.Attach{Type: overlay.AttachVeth, Target: "own0"})
	if n.Kind == overlay.Bridged {
		add("lan", "wlan", overlay.Attach{Type: overlay.AttachBridge, Target: foreignBridge})
	}
}

// directTo sends packets to some nodes as they are.
func directTo(nodes ...overlay.NodeName) func(*dataplane.Network) {
	return func(n *dataplane.Network) {
		for prefix, r := range n.Routes {
			if slices.Contains(nodes, r.Node) {
				b := &bedHost{index: int(r.Node[0] - 'a')}
				r.Direct, r.Via = true, b.underlay(overlay.FamilyOf(prefix.Addr()))
				n.Routes[prefix] = r
			}
		}
	}
}

func ofPort8472(n *dataplane.Network) { n.Settings.Port = 8472 }

func unencapsulated(n *dataplane.Network) { n.Encapsulation = overlay.EncapNone }

// apply has the plane make the host match.
func (h *oracleHost) apply() {
	h.t.Helper()
	plane, err := New(Options{NetnsDir: h.dir, StateDir: h.t.TempDir(), Host: h.ns})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if err := plane.Close(); err != nil {
			h.t.Error(err)
		}
	})
	if err := plane.Apply(context.Background(), h.state, nil); err != nil {
		h.t.Fatal(err)
	}
}

// run has a shell run commands, as a user would paste them.
func (h *oracleHost) run(commands []string) error {
	_, err := feed(h.ns, strings.Join(commands, "\n"), "sh", "-ex")
	return err
}
