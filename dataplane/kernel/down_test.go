package kernel

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// all is what the tools show of a namespace.
func all(t testing.TB, ns string) string {
	t.Helper()
	return testenv.Output(t, ns, "sh", "-c", `ip -o link | sed 's/@[^:]*//; s/state [A-Z]*//; s/NO-CARRIER,//; s/,LOWER_UP//'; ip -o address; ip route; ip -6 route; ip rule;
		tc qdisc; nft list ruleset; sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding`)
}

// interrupted does the first count of the ops that make a network, as a plane does that is
// killed then, and returns how many there are.
func interrupted(t testing.TB, p *Plane, n dataplane.Network, count int) int {
	t.Helper()
	h := newHand(p.Host)
	defer h.Close()
	p.want = dataplane.State{Networks: map[overlay.NetworkName]dataplane.Network{n.Name: n}}
	if err := p.guard(h); err != nil {
		t.Fatal(err)
	}
	ops := Diff(LowerNetwork(n, p.NetnsDir), NewObjects())
	for _, op := range ops[:min(count, len(ops))] {
		if err := op.do(h); err != nil {
			t.Fatalf("%s: %v", op, err)
		}
	}
	return len(ops)
}

// Down after a kill at any step leaves the host, and the workload, as they were.
func TestDownAfterKill(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind   overlay.NetworkKind
		to     overlay.AttachType
		target string
	}{
		"bridged, namespace": {overlay.Bridged, overlay.AttachNetns, ""},
		"bridged, tap":       {overlay.Bridged, overlay.AttachTap, "tap0"},
		"bridged, bridge":    {overlay.Bridged, overlay.AttachBridge, "virbr0"},
		"routed, namespace":  {overlay.Routed, overlay.AttachNetns, ""},
		"routed, veth":       {overlay.Routed, overlay.AttachVeth, "web0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newTestNet(t, 1, c.kind, overlay.V4)
			h := n.bed.hosts[0]
			h.run("ip", "link", "add", "virbr0", "address", "02:00:00:00:99:01", "type", "bridge")
			h.run("ip", "link", "set", "virbr0", "addrgenmode", "none", "up")
			// What a bridge's operational state is depends on its ports: not compared.
			net := n.state(0).Networks["blue"]
			if c.to != overlay.AttachNetns {
				attached(c.to, c.target)(&net)
			}
			before := all(t, h.ns) + all(t, n.workloads[0])
			for steps, done := 1, 0; done < steps; done++ {
				steps = interrupted(t, h.plane, net, done+1)
				if _, err := Down(context.Background(), h.plane.Options); err != nil {
					t.Fatalf("after %d steps: %v", done+1, err)
				}
				if after := all(t, h.ns) + all(t, n.workloads[0]); after != before {
					t.Fatalf("after %d steps: before:\n%s\nafter:\n%s", done+1, before, after)
				}
				if left, err := netns.List(h.dir); err != nil || len(left) > 0 {
					t.Fatalf("after %d steps: namespaces left: %v, %v", done+1, left, err)
				}
			}
		})
	}
}

// Apply after a kill at any step ends where it would have without.
func TestApplyAfterKill(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 1, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	s := n.state(0)
	for steps, done := 1, 0; done < steps; done += 3 {
		steps = interrupted(t, h.plane, s.Networks["blue"], done+1)
		h.apply(s)
		h.settled()
		h.apply(dataplane.State{Generation: 2})
	}
}

// A context that ends stops an Apply with an error that says how far it got.
func TestApplyStops(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 1, overlay.Bridged, overlay.V4)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := n.bed.hosts[0].plane.Apply(ctx, n.state(0), nil)
	var stopped *OpError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &stopped) || stopped.Done != 0 || stopped.Total == 0 {
		t.Errorf("error %v", fmt.Sprint(err))
	}
}
