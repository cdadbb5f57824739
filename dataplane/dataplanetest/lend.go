package dataplanetest

import "weft/dataplane"

// lending lends its States as a planner does: what a plane keeps of one after
// Apply, without copying it, is spoilt.
type lending struct{ Harness }

func (l lending) Apply(want dataplane.State, since *dataplane.Delta) error {
	lent := want.Clone()
	err := l.Harness.Apply(lent, since)
	for name, n := range lent.Networks {
		clear(n.Ports)
		clear(n.Remotes)
		clear(n.Neighbors)
		clear(n.Members)
		clear(n.Routes)
		delete(lent.Networks, name)
	}
	return err
}

// witness is the harness as one that sees the plane's changes, if it does.
func witness(h Harness) (Witness, bool) {
	if l, ok := h.(lending); ok {
		h = l.Harness
	}
	w, ok := h.(Witness)
	return w, ok
}
