package kernel

import "strconv"

// changeTunnel changes what a tunnel link's packets look like, without taking it away.
type changeTunnel struct {
	ID         LinkID
	Have, Want Link
}

func (o changeTunnel) String() string {
	words := []string{"link", "set", o.ID.Name}
	if o.setsMTU() {
		words = append(words, "mtu", strconv.Itoa(o.Want.MTU))
	}
	words = append(words, "type", string(o.Want.Kind))
	return o.ID.NS.command("ip", append(words, tunnelKinds[o.Want.Kind].words(o.Want.Outer, &o.Have.Outer)...)...)
}

// setsMTU: a change of all kinds but vxlan makes the kernel choose an MTU, if none is said
// (net/ipv4/ip_tunnel.c, ip_tunnel_update; drivers/net/geneve.c, geneve_link_config).
func (o changeTunnel) setsMTU() bool { return o.Want.Kind != KindVXLAN && o.Want.MTU != 0 }

// changesFrom reports whether a tunnel link can become another by a changeTunnel.
func (l Link) changesFrom(have Link) bool {
	k, ok := tunnelKinds[l.Kind]
	return ok && l.Kind == have.Kind && l.Inside == have.Inside && l.Peer == have.Peer && k.changes(l.Outer, have.Outer)
}
