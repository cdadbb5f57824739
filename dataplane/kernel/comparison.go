package kernel

import (
	"iter"
	"net/netip"

	"weft/dataplane"
	"weft/dataplane/nft"
	"weft/overlay"
)

// comparison is a network as it is wanted and as the host has it.
type comparison struct {
	// want and have are all objects but the many.
	want, have Objects
	many       *many
}

// compare reads a network from the host.
func (p *Plane) compare(h *hand, w *wantedNetwork) (comparison, error) {
	o, err := h.read(w.net.Name, w.ns, w.frame, w)
	if err != nil {
		return comparison{}, err
	}
	return compared(w, o.Objects, o.many), p.observePrograms(h, w.net, o.Objects)
}

// compared is the comparison with what was read. What is on a link that is going to be replaced
// has to be made again.
func compared(w *wantedNetwork, have Objects, m *many) comparison {
	own := aliasOf(w.net.Name, "")
	for id, want := range w.frame.Links {
		if id.NS != w.ns || want.Alias != own || want.Kind != KindBridge && !want.Kind.isTunnel() && id.Name != nft.BoundUplink {
			continue
		}
		if l, ok := have.Links[id]; !ok || !want.sameDevice(l) && !want.changesFrom(l) {
			m.lose(id.Name)
		}
	}
	return comparison{w.frame, have, m}
}

// ops are what makes the host as wanted, some at a time: what Diff says of all objects, the
// many after everything that they need, and before anything is deleted.
func (c comparison) ops() iter.Seq[[]Op] {
	return func(yield func([]Op) bool) {
		d := differ{want: c.want, have: c.have}
		d.changes()
		if !yield(d.ops) {
			return
		}
		for part := range c.many.missing() {
			if !yield(Diff(part, NewObjects())) {
				return
			}
		}
		d.ops = nil
		d.leftovers()
		yield(d.ops)
	}
}

// count is how many objects are wanted, and how many there are so.
func (c comparison) count() (wanted, there int) {
	wanted, there = c.many.count()
	return wanted + c.want.Len(), there + c.want.matching(c.have)
}

// parts are a change of many remote stations and neighbours in parts: those that are set
// before those that are gone. One that is small, or concerns more, is one part.
func parts(d dataplane.NetworkDelta) iter.Seq[dataplane.NetworkDelta] {
	type delta = dataplane.NetworkDelta
	return func(yield func(delta) bool) {
		r, n := d.Remotes, d.Neighbors
		if len(r.Set)+len(r.Gone)+len(n.Set)+len(n.Gone) <= partSize || !onlyMany(d) {
			yield(d)
			return
		}
		_ = inParts(r.Set, func(part map[overlay.MAC]overlay.NodeName) bool {
			return yield(delta{Remotes: dataplane.Changes[overlay.MAC, overlay.NodeName]{Set: part}})
		}) && inParts(n.Set, func(part map[netip.Addr]overlay.MAC) bool {
			return yield(delta{Neighbors: dataplane.Changes[netip.Addr, overlay.MAC]{Set: part}})
		}) && inParts(n.Gone, func(part map[netip.Addr]struct{}) bool {
			return yield(delta{Neighbors: dataplane.Changes[netip.Addr, overlay.MAC]{Gone: part}})
		}) && inParts(r.Gone, func(part map[overlay.MAC]struct{}) bool {
			return yield(delta{Remotes: dataplane.Changes[overlay.MAC, overlay.NodeName]{Gone: part}})
		})
	}
}

// inParts calls yield with all of m, some at a time, until it returns false.
func inParts[K comparable, V any](m map[K]V, yield func(map[K]V) bool) bool {
	part := map[K]V{}
	for k, v := range m {
		if part[k] = v; len(part) == partSize {
			if !yield(part) {
				return false
			}
			part = map[K]V{}
		}
	}
	return len(part) == 0 || yield(part)
}
