package kernel

import (
	"cmp"

	"weft/dataplane"
)

// links makes and sets links: a bridge before its ports, and the end of a veth
// in Weft's namespace, which makes both, before the other.
func (d *differ) links() {
	order := func(a, b LinkID) int {
		return cmp.Or(
			cmp.Compare(d.want.rank(a), d.want.rank(b)),
			compareLinkID(a, b))
	}
	made := map[LinkID]Link{}
	for _, id := range dataplane.SortedKeys(d.want.Links, order) {
		want := d.want.Links[id]
		have, ok := d.have.Links[id]
		if !ok {
			have, ok = made[id]
		}
		if !ok {
			if want.Lent {
				continue // its other end is there: it is its user's now
			}
			peer := d.want.Links[want.Peer]
			d.add(addLink{id, want, peer})
			have = want.asMade()
			made[want.Peer] = peer.asMade()
		}
		d.setLink(id, want, have)
	}
}

// rank orders links by what they need.
func (o Objects) rank(id LinkID) int {
	switch l := o.Links[id]; {
	case l.Kind == KindLoopback:
		return 0
	case l.Kind == KindBridge:
		return 1
	case l.Kind.isTunnel():
		return 2
	case l.isTunTap():
		return 3
	case o.inDomain(id):
		return 4
	}
	return 5
}

// asMade is the link as addLink leaves it.
func (l Link) asMade() Link {
	return Link{Kind: l.Kind, MAC: l.MAC, MTU: l.madeMTU(), Outer: l.Outer, Inside: l.Inside, Peer: l.Peer, Lent: l.Lent, Bridge: BridgeMode{Ageing: l.Bridge.Ageing}}
}

// isTunTap reports whether the link is made by /dev/net/tun.
func (l Link) isTunTap() bool { return l.Kind == KindTap || l.Kind == KindTun }

// madeMTU: a tap is made without.
func (l Link) madeMTU() int {
	if l.isTunTap() {
		return 0
	}
	return l.MTU
}

// setLink sets what differs. A new port gets its flags, and its filters, before it is
// up: no frame passes without them.
func (d *differ) setLink(id LinkID, want, have Link) {
	if want.Lent {
		return
	}
	if want.Outer != have.Outer {
		d.add(changeTunnel{id, have, want})
		if want.MTU != 0 {
			have.MTU = want.MTU
		}
	}
	if set := (setLink{id, have, want}); !set.empty() {
		d.add(set)
	}
	if want.NoGRO && !have.NoGRO {
		d.add(setGRO{id, false})
	}
	if want.NoIPv6 && !have.NoIPv6 {
		d.add(setSysctl{SysctlID{id.NS, "net/ipv6/conf/" + id.Name + "/disable_ipv6"}, "1"})
	}
	if have.Bridge != want.Bridge {
		d.add(resetBridge{id, have.Bridge, want.Bridge})
	}
	odd := have.Port.Odd && want.Master == have.Master
	have.Port.Odd = false
	if want.Port.Owned && (want.Port != have.Port || want.Master != have.Master) {
		d.add(setBridgePort{id, have.Port, want.Port})
	}
	if want.Up != have.Up {
		d.ups = append(d.ups, setUp{id, want.Up, want})
	}
	if odd {
		d.ups = append(d.ups, resetBridgePort{id})
	}
}

// up does what links() has put off.
func (d *differ) up() { d.ops = append(d.ops, d.ups...) }
