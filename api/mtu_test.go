package api

import (
	"testing"

	"weft/overlay"
)

// An MTU that no node's underlay takes is refused, by the roomiest node's name; while
// nobody knows, or one node can, it is taken.
func TestMTUThatNobodyCanGive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.client(t, overlay.RoleAdmin, "root", w.serve(t, nil))
	with := func(name string, mtu int, underlay overlay.Family) *overlay.Network {
		n := network(name, overlay.Routed, "10.7.0.0/16", "fd07::/48")
		n.Spec.MTU, n.Spec.Underlay = mtu, underlay
		return n
	}
	put(t, admin, with("early", 9000, ""))
	small, large := node("small", 1), node("large", 2)
	small.Spec.UnderlayMTU, large.Spec.UnderlayMTU = 1400, 1500
	put(t, admin, small)
	put(t, admin, large)

	w.refusal(t, try(t, admin, with("blue", 9000, "")), CodeInvalid, "network blue: MTU 9000 is too large", "node large with 1500", "leaves 1450", "ask for 1450 at most")
	w.refusal(t, try(t, admin, with("red", 1451, overlay.V4)), CodeInvalid, "network red: MTU 1451 is too large")
	put(t, admin, with("blue", 1450, ""))
	put(t, admin, with("early", 9000, "")) // as it is

	w.refusal(t, try(t, admin, with("blue", 1452, "")), CodeInvalid, "network blue: MTU 1452 is too large")
	direct := with("direct", 1500, "")
	direct.Spec.Encapsulation = overlay.EncapNone
	put(t, admin, direct)
}
