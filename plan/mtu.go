package plan

import (
	"weft/encap"
	"weft/overlay"
)

// fit lowers the MTU to the largest packet of a port that the node's underlay
// takes. It is an error when that is less than the families inside must have.
func (f *frame) fit(n *overlay.Node) error {
	if t := f.tightest; t != nil && n.Spec.UnderlayMTU >= t.Spec.UnderlayMTU {
		if n.Spec.UnderlayMTU == t.Spec.UnderlayMTU && n.Name < t.Name {
			f.tightest = n
		}
		return nil
	}
	room, err := encap.PortMTU(f.Encapsulation, f.Kind, f.family, n.Spec.UnderlayMTU, f.inside...)
	if err != nil {
		return err
	}
	f.MTU, f.tightest = room, n
	return nil
}

// capMTU takes what the spec asks for when that is smaller than what fits.
func (f *frame) capMTU() {
	switch want := f.spec.MTU; {
	case want > f.MTU:
		f.refuse("MTU %d is too large: the underlay of node %s, with %d, leaves %d, which is used", want, f.tightest.Name, f.tightest.Spec.UnderlayMTU, f.MTU)
	case want > 0:
		f.MTU = want
	}
}
