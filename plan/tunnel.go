package plan

import (
	"fmt"
	"net/netip"

	"weft/dataplane"
	"weft/encap"
	"weft/overlay"
)

// tunnels are a node's tunnels that stand alone, and what is in the way of the others.
func tunnels(self *overlay.Node, all map[overlay.TunnelName]*overlay.Tunnel, paths map[overlay.Key]overlay.TunnelPath, mistakable map[overlay.Key]string) (map[overlay.TunnelName]dataplane.Tunnel, map[overlay.TunnelName][]string) {
	out, problems := map[overlay.TunnelName]dataplane.Tunnel{}, map[overlay.TunnelName][]string{}
	for name, r := range all {
		if self == nil || r.Spec.Node != overlay.NodeName(self.Name) {
			continue
		}
		if problem, ok := mistakable[r.Key()]; ok {
			problems[name] = []string{problem}
			continue
		}
		t, err := tunnel(self, r, paths[r.Key()])
		if err != nil {
			problems[name] = []string{err.Error()}
			continue
		}
		out[name] = t
	}
	apart(all, out, problems)
	return out, problems
}

// defaultTTL is what Linux gives outer packets of other kinds (net/ipv4/ip_default_ttl); of
// a group's it is 1, as multicast stays on its segment unless somebody says otherwise
// (RFC 1112 section 6.1).
const defaultTTL = 64

// tunnel is what a node makes of a tunnel of its own. The error says, after "tunnel NAME: ",
// why it cannot.
func tunnel(self *overlay.Node, r *overlay.Tunnel, path overlay.TunnelPath) (dataplane.Tunnel, error) {
	t, err := ends(self, r, path)
	if err != nil {
		return t, err
	}
	if err := wayOut(self, r, t.Remote); err != nil {
		return t, err
	}
	underlay := overlay.FamilyOf(t.Local)
	if t.Spec.Plane, _, err = TunnelPlane(self, t.Spec, underlay); err != nil {
		return t, err
	}
	if t.Spec.TTL.IsZero() {
		t.Spec.TTL.Hops = defaultTTL
		if t.Spec.Group() {
			t.Spec.TTL.Hops = 1
		}
	}
	t.MTU, err = tunnelMTU(self, t.Spec, underlay)
	return t, err
}

// wayOut checks that a tunnel's packets have a way to a remote. Of what is not on the underlay's
// segment only the host knows by which route it is reached.
func wayOut(self *overlay.Node, r *overlay.Tunnel, remote netip.Addr) error {
	if !remote.IsValid() {
		return nil
	}
	bits := remote.BitLen() - 1
	if p, ok := self.Underlay(overlay.FamilyOf(remote)); ok && p.Contains(remote) {
		bits = min(bits, p.Bits())
	}
	return r.LeadsInto(remote, bits)
}

// ends is a tunnel with its outer addresses, as far as they are known.
func ends(self *overlay.Node, r *overlay.Tunnel, path overlay.TunnelPath) (t dataplane.Tunnel, err error) {
	name := overlay.TunnelName(r.Name)
	t = dataplane.Tunnel{Name: name, Spec: r.Spec.Complete(name), Remote: path.Remote, Down: path.Down}
	if a, ok := t.Spec.RemoteAddr(); ok {
		t.Remote = a
	}
	t.Local, err = nearEnd(self, t)
	return t, err
}

// nearEnd is the outer source address.
func nearEnd(self *overlay.Node, t dataplane.Tunnel) (netip.Addr, error) {
	if t.Spec.Local.IsValid() {
		if t.Remote.IsValid() && overlay.FamilyOf(t.Remote) != overlay.FamilyOf(t.Spec.Local) {
			return netip.Addr{}, fmt.Errorf("remote %s is %s and local %s is not", t.Spec.Remote, t.Remote, t.Spec.Local)
		}
		return t.Spec.Local, nil
	}
	families := []overlay.Family{overlay.V4, overlay.V6}
	if t.Remote.IsValid() {
		families = []overlay.Family{overlay.FamilyOf(t.Remote)}
	}
	for _, f := range families {
		if p, ok := self.Underlay(f); ok {
			return p.Addr(), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("node %s has no %s underlay address to reach remote %s from; give the tunnel its local address", self.Name, families[0], t.Spec.Remote)
}

// tunnelMTU is the largest packet that fits, or what the spec asks for.
func tunnelMTU(self *overlay.Node, s overlay.TunnelSpec, underlay overlay.Family) (int, error) {
	overhead, err := encap.TunnelOverhead(s, underlay)
	if err != nil {
		return 0, err
	}
	room := self.Spec.UnderlayMTU - overhead
	least := encap.MinMTU4
	if !s.Mode.Carries(overlay.V4) {
		least = encap.MinMTU6
	}
	if s.MTU == 0 && room < least {
		return 0, fmt.Errorf("the underlay's MTU of %d leaves %d bytes, and mode %s needs %d", self.Spec.UnderlayMTU, room, s.Mode, least)
	}
	if s.MTU != 0 {
		room = s.MTU
	}
	return room, nil
}
