package kernel

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
)

// observed is host i's view of the network.
func (n testNet) observed(t *testing.T, i int) dataplane.NetworkView {
	t.Helper()
	seen, err := n.bed.hosts[i].plane.Observe(context.Background(), n.spec.Name)
	if err != nil {
		t.Fatal(err)
	}
	return seen.Networks[n.spec.Name]
}

// ask decodes what a tool says in JSON.
func ask[T any](t *testing.T, ns string, argv ...string) []T {
	t.Helper()
	var out []T
	if err := json.Unmarshal([]byte(testenv.Output(t, ns, argv...)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func sorted(lines []string) string {
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n")
}

// TestViewAgreesWithTools: FDB, neighbours and tunnel are what bridge and ip see.
func TestViewAgreesWithTools(t *testing.T) {
	t.Parallel()
	for _, underlay := range []overlay.Family{overlay.V4, overlay.V6} {
		t.Run(string(underlay), func(t *testing.T) {
			t.Parallel()
			n := newTestNet(t, 3, overlay.Bridged, underlay)
			h := n.bed.hosts[0]
			h.apply(n.state(0))
			domain := string(DomainNS(h.dir, n.spec.Name))
			v := n.observed(t, 0)
			if v.Wanted == 0 || v.Present != v.Wanted || len(v.Differs) > 0 {
				t.Errorf("%d of %d, differs %q: want everything there", v.Present, v.Wanted, v.Differs)
			}

			var got, want []string
			for _, e := range v.FDB {
				if e.VTEP.IsValid() {
					got = append(got, fmt.Sprint(e.MAC, " ", e.VTEP, " ", e.Device))
				}
			}
			for _, e := range ask[struct{ Mac, Ifname, Dst string }](t, domain, "bridge", "-j", "fdb") {
				if e.Dst != "" {
					want = append(want, e.Mac+" "+e.Dst+" "+e.Ifname)
				}
			}
			if sorted(got) != sorted(want) {
				t.Errorf("fdb:\n%s\nbridge has:\n%s", sorted(got), sorted(want))
			}

			got, want = nil, nil
			for _, e := range v.Neighbors {
				got = append(got, fmt.Sprint(e.Address, " ", e.MAC, " ", e.Device, " ", strings.ToUpper(e.State)))
			}
			for _, e := range ask[struct {
				Dst, Lladdr, Dev string
				State            []string
			}](t, domain, "ip", "-j", "neigh", "show", "nud", "permanent") {
				want = append(want, e.Dst+" "+e.Lladdr+" "+e.Dev+" "+e.State[0])
			}
			if sorted(got) != sorted(want) {
				t.Errorf("neigh:\n%s\nip has:\n%s", sorted(got), sorted(want))
			}

			tunnel := v.Links[0].Tunnel
			listening := "0.0.0.0:4789"
			if underlay == overlay.V6 {
				listening = "[::]:4789"
			}
			if tunnel == nil || tunnel.VNI != n.spec.VNI || tunnel.Local != h.underlay(underlay) || len(tunnel.Remotes) != 2 ||
				tunnel.Listening != listening || tunnel.SourcePorts[0] == 0 || tunnel.Learning {
				t.Errorf("tunnel %+v", tunnel)
			}
		})
	}
}

// TestViewOrigins: what somebody else made is told from what Weft made, and from what was learnt.
func TestViewOrigins(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 2, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	h.apply(n.state(0))
	if err := h.plane.Close(); err != nil { // so that nobody repairs it
		t.Fatal(err)
	}
	domain := string(DomainNS(h.dir, n.spec.Name))
	testenv.Run(t, domain, "bridge", "fdb", "add", "02:00:00:00:99:99", "dev", "vx0", "dst", "192.0.2.99", "self", "static")
	testenv.Run(t, domain, "ip", "neigh", "add", "10.7.9.9", "lladdr", "02:00:00:00:99:99", "dev", "br0", "nud", "stale")
	v := n.observed(t, 0)
	h.start() // for the clean-up
	origins := map[string]dataplane.Origin{}
	for _, e := range v.FDB {
		origins[e.MAC.String()] = e.Origin
	}
	for _, e := range v.Neighbors {
		origins[e.Address.String()] = e.Origin
	}
	for what, want := range map[string]dataplane.Origin{
		"02:00:00:00:99:99": dataplane.FromStatic, "10.7.9.9": dataplane.FromLearnt,
		n.endpoint(1).MAC.String(): dataplane.FromRegistry, n.endpoint(1).Addresses[0].String(): dataplane.FromRegistry,
	} {
		if origins[what] != want {
			t.Errorf("%s is from %q, want %q", what, origins[what], want)
		}
	}
	if len(v.Differs) == 0 || !strings.Contains(strings.Join(v.Differs, "\n"), "02:00:00:00:99:99") {
		t.Errorf("differs %q: want the foreign entry named", v.Differs)
	}
}

func TestViewDirect(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 2, overlay.Routed, overlay.V4)
	n.bed.hosts[0].apply(n.direct(0, overlay.EncapNone))
	for _, r := range n.observed(t, 0).Routes {
		if r.Namespace == "host" && r.Node == n.bed.hosts[1].name && r.Via == n.bed.hosts[1].underlay(overlay.V4) && r.Device == "eth0" {
			return
		}
	}
	t.Errorf("routes %+v: want one on the host to b's block", n.observed(t, 0).Routes)
}
