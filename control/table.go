package control

import (
	"iter"
	"maps"
	"reflect"
	"slices"

	"weft/overlay"
	"weft/store"
)

// source says which watch covers a resource. A resource can be covered by
// two: an endpoint of this node by ownSource and by its network's.
type source uint8

const (
	nodesSource source = 1 << iota
	ownSource
	networkSource
)

// table is what was received, with who covers it: a resource is gone when no
// watch covers it any more.
type table struct {
	node    overlay.NodeName
	entries map[overlay.Key]entry
	// own are this node's ports in each network where it has any: endpoints, stations aside, and
	// tunnels that are attached to it.
	own map[overlay.NetworkName]map[overlay.Key]*overlay.Endpoint
	// tunnels are this node's.
	tunnels map[overlay.Key]*overlay.Tunnel
	// dropped are keys that this node deleted itself, at the store's revision
	// then: what a watch that lags still says of them is out of date.
	dropped map[overlay.Key]int64
}

type entry struct {
	resource overlay.Resource
	sources  source
}

func newTable(node overlay.NodeName) *table {
	return &table{
		node: node, entries: map[overlay.Key]entry{},
		own:     map[overlay.NetworkName]map[overlay.Key]*overlay.Endpoint{},
		tunnels: map[overlay.Key]*overlay.Tunnel{}, dropped: map[overlay.Key]int64{},
	}
}

// set and remove are the only ones that change entries: they keep own and tunnels.
func (t *table) set(k overlay.Key, e entry) {
	t.remove(k)
	t.entries[k] = e
	if own, ok := e.resource.(*overlay.Tunnel); ok && own.Spec.Node == t.node {
		t.tunnels[k] = own
	}
	ep := portOf(e.resource)
	if ep == nil || ep.Spec.Node != t.node {
		return
	}
	if t.own[k.Network] == nil {
		t.own[k.Network] = map[overlay.Key]*overlay.Endpoint{}
	}
	t.own[k.Network][k] = ep
}

// portOf is the endpoint that a resource is in its network, unless it is none or a station.
func portOf(r overlay.Resource) *overlay.Endpoint {
	switch r := r.(type) {
	case *overlay.Endpoint:
		if r.Spec.Port != overlay.PortStation {
			return r
		}
	case *overlay.Tunnel:
		if r.Network != "" {
			return r.Port()
		}
	}
	return nil
}

func (t *table) remove(k overlay.Key) {
	delete(t.entries, k)
	delete(t.tunnels, k)
	delete(t.own[k.Network], k)
	if len(t.own[k.Network]) == 0 {
		delete(t.own, k.Network)
	}
}

// resources are all, in no order.
func (t *table) resources() iter.Seq[overlay.Resource] {
	return func(yield func(overlay.Resource) bool) {
		for _, e := range t.entries {
			if !yield(e.resource) {
				return
			}
		}
	}
}

// merge takes a batch from a watch and returns what changed. in is the
// watch's interest: a Reset ends whatever it covers and does not list.
func (t *table) merge(from source, in store.Interest, b store.Batch) (puts []overlay.Resource, deletes []overlay.Key) {
	listed := map[overlay.Key]bool{}
	for _, r := range b.Puts {
		k := r.Key()
		listed[k] = true
		if t.put(from, r) {
			puts = append(puts, r)
		}
	}
	if b.Reset {
		for k, e := range t.entries {
			if e.sources&from != 0 && !listed[k] && in.CoversKey(k) && e.resource.Header().Revision <= b.Revision.Number {
				deletes = t.leave(from, k, deletes)
			}
		}
	}
	for _, k := range b.Deletes {
		if e, ok := t.entries[k]; ok && e.resource.Header().Revision <= b.Revision.Number {
			deletes = t.leave(from, k, deletes)
		}
	}
	return puts, deletes
}

// put records that the source covers r and reports whether r is news: another
// resource or another spec. A status is kept and is no news here.
func (t *table) put(from source, r overlay.Resource) bool {
	k, header := r.Key(), r.Header()
	if header.Revision <= t.dropped[k] {
		return false
	}
	delete(t.dropped, k)
	old, known := t.entries[k]
	news := !known
	if known {
		was := old.resource.Header()
		news = was.Revision < header.Revision && (was.UID != header.UID || was.Generation != header.Generation)
		switch {
		case was.Revision > header.Revision:
			r = old.resource
		case was.Revision < header.Revision:
		case reflect.DeepEqual(old.resource, r):
			r = old.resource // which the planner has too: one of them is enough to keep
		default:
			news = true // another version wrote the cache, which understood less of it
		}
	}
	t.set(k, entry{resource: r, sources: old.sources | from})
	return news
}

// doubt makes everything here older than whatever a watch says: it is of a store
// that is no more. It stays until a watch does not list it.
func (t *table) doubt() {
	clear(t.dropped)
	for _, k := range slices.Collect(maps.Keys(t.entries)) {
		e := t.entries[k]
		e.resource = overlay.Copy(e.resource)
		h := e.resource.Header()
		h.Revision, h.UID = 0, ""
		t.set(k, e)
	}
}

// leave takes one source's cover away; the key is appended to deletes when that was the last.
func (t *table) leave(from source, k overlay.Key, deletes []overlay.Key) []overlay.Key {
	e := t.entries[k]
	e.sources &^= from
	if e.sources != 0 {
		t.set(k, e)
		return deletes
	}
	t.remove(k)
	return append(deletes, k)
}

// drop forgets a resource that this node deleted, at the store's revision.
func (t *table) drop(k overlay.Key, revision int64) {
	t.remove(k)
	t.dropped[k] = max(revision, t.dropped[k])
}

// unwatch ends a source's cover of everything in the interest.
func (t *table) unwatch(from source, in store.Interest) (deletes []overlay.Key) {
	for k, e := range t.entries {
		if e.sources&from != 0 && in.CoversKey(k) {
			deletes = t.leave(from, k, deletes)
		}
	}
	return deletes
}
