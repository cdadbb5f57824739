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

// mistakable are those of a node's tunnels, attached to networks or not, whose packets could not
// be told from another one's, and why. Servers refuse such. But two servers may take one each at
// the same moment, and what a name in DNS stands for no server knows. Each has a place by what is
// declared alone, so that none waits for what becomes of its network.
func mistakable(self *overlay.Node, all map[overlay.NetworkName]map[overlay.TunnelName]*overlay.Tunnel, paths map[overlay.Key]overlay.TunnelPath) map[overlay.Key]string {
	var own []*overlay.Tunnel
	for _, of := range all {
		for _, r := range of {
			if self != nil && r.Spec.Node == overlay.NodeName(self.Name) {
				own = append(own, r)
			}
		}
	}
	slices.SortFunc(own, precedence)
	outer, problems := map[string]*overlay.Tunnel{}, map[overlay.Key]string{}
	for _, r := range own {
		t, err := ends(self, r, paths[r.Key()])
		if err != nil {
			continue // it is left out in any case
		}
		if by := outer[outerOf(t)]; by != nil {
			problems[r.Key()] = fmt.Sprintf("its packets could not be told from those of tunnel %s (%s); remove one of the two, or give it something else to tell them apart", called(by), packetsOf(t))
			continue
		}
		outer[outerOf(t)] = r
	}
	return problems
}

// called is a tunnel's name as people give it.
func called(r *overlay.Tunnel) string {
	if r.Network != "" {
		return string(r.Network) + "/" + r.Name
	}
	return r.Name
}

// apart leaves out the tunnels that stand alone and want a route that another one has.
func apart(all map[overlay.TunnelName]*overlay.Tunnel, out map[overlay.TunnelName]dataplane.Tunnel, problems map[overlay.TunnelName][]string) {
	routes := map[overlay.TunnelRoute]overlay.TunnelName{}
	for _, name := range slices.SortedFunc(maps.Keys(out), func(a, b overlay.TunnelName) int { return precedence(all[a], all[b]) }) {
		t := out[name]
		if prefix, by, taken := commonRoute(t, routes); taken {
			problems[name] = []string{fmt.Sprintf("route %s is that of tunnel %s already; give one of the two another metric", prefix, by)}
			delete(out, name)
			continue
		}
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
	return cmp.Or(cmp.Compare(named(a), named(b)), a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Network, b.Network))
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
