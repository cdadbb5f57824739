package agent

import (
	"fmt"
	"net/netip"

	"weft/api/agentapi"
	"weft/overlay"
)

// nearEnd is an address that is to be this host's own on the underlay, and where that is said.
type nearEnd struct{ where, address string }

// nearEnds are those that are wanted; none: the source addresses of the default routes.
type nearEnds struct {
	wanted []nearEnd
	// how says how one is named.
	how string
}

// byFlags are those that somebody gives on the command line.
func byFlags(addresses []string) nearEnds {
	n := nearEnds{how: "name the address with --underlay"}
	for _, a := range addresses {
		n.wanted = append(n.wanted, nearEnd{"--underlay", a})
	}
	return n
}

// byFile are those that a declaration says.
func byFile(d agentapi.Declaration) nearEnds {
	n := nearEnds{how: "say spec.underlay of a Node in the file"}
	has := map[overlay.Family]bool{}
	add := func(where string, a netip.Addr) {
		if f := overlay.FamilyOf(a); a.IsValid() && !has[f] {
			has[f] = true
			n.wanted = append(n.wanted, nearEnd{where, a.String()})
		}
	}
	for _, a := range d.Underlay {
		add(fmt.Sprintf("node %s: underlay", d.Node), a)
	}
	for _, t := range d.Tunnels {
		add(fmt.Sprintf("%s: local", tunnelKey(t)), t.Spec.Local)
	}
	if len(d.Tunnels) > 0 {
		n.how = fmt.Sprintf("say spec.local of %s, or spec.underlay of a Node in the file", tunnelKey(d.Tunnels[0]))
	}
	return n
}

// tunnelKey is a tunnel's, which may lack its kind before it is complete.
func tunnelKey(t *overlay.Tunnel) overlay.Key {
	return overlay.Key{Kind: overlay.KindTunnel, Network: t.Network, Name: t.Name}
}

// nearEnds are those that the host was given, or that a declaration says.
func (o Options) nearEnds(d agentapi.Declaration) nearEnds {
	if len(o.Underlay) > 0 {
		return byFlags(o.Underlay)
	}
	return byFile(d)
}

// wanted are the node's near ends. On a host that follows a file that may say which.
func (o Options) wanted() nearEnds {
	if !o.Local {
		return byFlags(o.Underlay)
	}
	d, err := LoadDeclaration(o.StateDir)
	if err != nil {
		d = agentapi.Declaration{} // whoever opens it says so
	}
	return o.nearEnds(d)
}
