package plan

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"weft/dataplane"
	"weft/overlay"
)

// apart leaves out the tunnels that cannot be beside another one: their packets, or their
// routes, could not be told from its. Servers refuse such. But two servers may take one each at the
// same moment, and what a name in DNS stands for no server knows.
func apart(all map[overlay.TunnelName]*overlay.Tunnel, out map[overlay.TunnelName]dataplane.Tunnel, problems map[overlay.TunnelName][]string) {
	outer, routes := map[string]overlay.TunnelName{}, map[overlay.TunnelRoute]overlay.TunnelName{}
	for _, name := range slices.SortedFunc(maps.Keys(out), func(a, b overlay.TunnelName) int { return precedence(all[a], all[b]) }) {
		t := out[name]
		by, taken := outer[outerOf(t)]
		problem := fmt.Sprintf("its packets could not be told from those of tunnel %s (%s); remove one of the two, or give it something else to tell them apart", by, packetsOf(t))
		if !taken {
			var prefix netip.Prefix
			prefix, by, taken = commonRoute(t, routes)
			problem = fmt.Sprintf("route %s is that of tunnel %s already; give one of the two another metric", prefix, by)
		}
		if taken {
			problems[name] = []string{problem}
			delete(out, name)
			continue
		}
		outer[outerOf(t)] = name
		for _, r := range t.Spec.Routes {
			routes[placeOf(r)] = name
		}
	}
}

// precedence orders tunnels by who keeps what two of them want: one whose peer has an address
// before one whose peer has a name, which may stand for anything tomorrow, and then the older one.
func precedence(a, b *overlay.Tunnel) int {
	named := func(t *overlay.Tunnel) int {
		if _, isAddr := t.Spec.RemoteAddr(); isAddr {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(named(a), named(b)), a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name))
}

// outerOf is what tells a tunnel's packets from others', with the addresses that it has.
func outerOf(t dataplane.Tunnel) string {
	s := t.Spec
	s.Local = t.Local
	if t.Remote.IsValid() {
		s.Remote = t.Remote.String()
	}
	return s.Outer()
}

// packetsOf is outerOf in words.
func packetsOf(t dataplane.Tunnel) string {
	s := t.Spec
	if s.Mode.HasVNI() {
		return fmt.Sprintf("%s VNI %s on UDP port %d", s.Mode, s.VNI, s.Port)
	}
	return fmt.Sprintf("%s from %s to %s", s.Mode, t.Local, t.Remote)
}

// commonRoute is a route that somebody has already, and who.
func commonRoute(t dataplane.Tunnel, routes map[overlay.TunnelRoute]overlay.TunnelName) (netip.Prefix, overlay.TunnelName, bool) {
	for _, r := range t.Spec.Routes {
		if by, taken := routes[placeOf(r)]; taken {
			return r.Prefix, by, true
		}
	}
	return netip.Prefix{}, "", false
}

// placeOf is the place of a route in the host's table.
func placeOf(r overlay.TunnelRoute) overlay.TunnelRoute {
	return overlay.TunnelRoute{Prefix: r.Prefix, Metric: r.Metric}
}
