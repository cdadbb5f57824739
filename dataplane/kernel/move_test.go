package kernel

import (
	"context"
	"maps"
	"math/rand/v2"
	"testing"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
)

// withGuest is the State of host i when an endpoint is on host at; nowhere if at is
// negative. A routed network's guest has an address of host 0's block and a route
// of its own, as one has that kept its address.
func (n testNet) withGuest(i, at int, workloads []string) dataplane.State {
	s := n.state(i)
	if at < 0 {
		return s
	}
	net := s.Networks[n.spec.Name]
	guest := n.endpoint(0)
	guest.Name, guest.Device = "guest", "wguest"
	guest.MAC = overlay.MAC{2, 0, 0, 0, 0, 0x77}
	guest.Addresses = guest.Addresses[:2:2]
	for j, a := range guest.Addresses {
		b := a.AsSlice()
		b[len(b)-1] = 0x77
		guest.Addresses[j] = mustAddr(b)
	}
	guest.Addresses = append(guest.Addresses, guest.MAC.LinkLocal())
	guest.Attach.Target = workloads[at]
	if n.spec.Kind == overlay.Bridged {
		for _, a := range guest.Addresses {
			net.Neighbors[a] = guest.MAC
		}
	}
	switch {
	case i == at:
		net.Ports[guest.Name] = guest
	case n.spec.Kind == overlay.Bridged:
		net.Remotes[guest.MAC] = n.bed.hosts[at].name
	default:
		for _, a := range guest.Addresses[:2] {
			net.Routes[host(a)] = dataplane.Route{Node: n.bed.hosts[at].name}
		}
	}
	s.Networks[n.spec.Name] = net
	return s
}

// dumpDomain is all that the tools show of a network's namespace.
func (h *bedHost) dumpDomain(name overlay.NetworkName) string {
	h.t.Helper()
	script := "ip -br link; ip -br address; ip route show table all; ip -6 route show table all; " +
		"ip neigh show nud permanent; ip -6 neigh show nud permanent; bridge fdb; bridge -d link"
	return testenv.Output(h.t, string(DomainNS(h.dir, name)), "sh", "-c", script) +
		testenv.Output(h.t, h.ns, "sh", "-c", "ip -br link; ip route; ip -6 route")
}

// After very many moves between hosts, nothing is left of them, and everything
// else is as it was.
func TestMovesLeaveNothing(t *testing.T) {
	t.Parallel()
	moves := testenv.Rounds(200, 1000)
	for _, kind := range []overlay.NetworkKind{overlay.Bridged, overlay.Routed} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			n := newTestNet(t, 3, kind, overlay.V4)
			guests := make([]string, len(n.bed.hosts))
			for i := range guests {
				guests[i] = testenv.Namespace(t)
			}
			ctx := context.Background()
			generation := uint64(1)
			to := func(at int) {
				generation++
				for i, h := range n.bed.hosts {
					next := n.withGuest(i, at, guests)
					next.Generation = generation
					d := dataplane.Between(h.plane.want, next)
					if err := h.plane.Apply(ctx, next, &d); err != nil {
						t.Fatal(err)
					}
					if h.plane.reached != generation {
						t.Fatalf("host %s is at generation %d, not %d", h.name, h.plane.reached, generation)
					}
				}
			}
			before := map[overlay.NodeName]string{}
			for i, h := range n.bed.hosts {
				h.apply(n.state(i))
				before[h.name] = h.dumpDomain(n.spec.Name)
			}
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			r := rand.New(rand.NewPCG(seed, 0))
			last := 0
			for range moves {
				last = r.IntN(len(guests))
				to(last)
			}
			for _, h := range n.bed.hosts {
				h.settled()
			}
			for i := range n.bed.hosts {
				ping(t, guests[last], n.endpoint(i).Addresses[0].String())
				ping(t, guests[last], n.endpoint(i).Addresses[1].String())
			}
			to(-1)
			after := map[overlay.NodeName]string{}
			for _, h := range n.bed.hosts {
				h.settled()
				after[h.name] = h.dumpDomain(n.spec.Name)
			}
			if !maps.Equal(before, after) {
				for name := range before {
					if before[name] != after[name] {
						t.Errorf("host %s before:\n%s\nafter:\n%s", name, before[name], after[name])
					}
				}
			}
		})
	}
}
