// Package store is the seam between Weft and what keeps its resources.
//
// A Store is watched and updated; nothing else. In memory, etcd and the API's
// client are its implementations, and storetest holds them to one behaviour.
//
// Every implementation keeps three rules inside the transaction of an Update:
// the revision is the one the writer expected, no claim is held by two
// resources, and what a resource needs exists. Whoever builds on a Store can
// rely on that whatever crashes in between. Do not add caching or policy here.
package store

import (
	"context"

	"weft/overlay"
)

// Store keeps resources.
type Store interface {
	// Watch calls deliver with what the interest covers: first a complete
	// Batch (Reset), unless from is a revision that changes can be had from;
	// then a Batch for each change or several at once, in order. A revision
	// that was compacted away gets a Reset again. It returns nil when ctx
	// ended, the error of deliver, ErrRestored when from belongs to another
	// incarnation or lies in the store's future (whoever watches has to hold
	// what it has), or ErrUnavailable when the store went away; watch again from
	// the last Batch's revision then. deliver is called by one goroutine at a time.
	Watch(ctx context.Context, in Interest, from overlay.Revision, deliver func(Batch) error) error
	// Update makes one change and returns the resource as stored, and the
	// store's revision after it. A delete returns a nil resource; deleting
	// what is absent succeeds. Writing what is there already changes nothing,
	// not even the revision.
	//
	// Of several reasons to refuse it names the first of *ConflictError,
	// *MissingError, *InUseError and *ClaimedError. A status written where
	// there is no resource gets ErrNotFound. After ErrUnavailable, or when ctx
	// ended, the change may have been made all the same.
	Update(ctx context.Context, c Change) (overlay.Resource, overlay.Revision, error)
}

// Interest says which resources a watch covers: all that pass each field.
type Interest struct {
	// Kinds; empty means every kind but those that are only given when named
	// (overlay.Kind.OnlyNamed), tokens and revocations.
	Kinds []overlay.Kind `json:"kinds,omitempty"`
	// Networks limits networks (by name) and what belongs to them; empty means all, and
	// tunnels that stand alone. It does not limit nodes and tokens.
	Networks []overlay.NetworkName `json:"networks,omitempty"`
	// Node limits endpoints, blocks and tunnels to those of a node; empty means all.
	Node overlay.NodeName `json:"node,omitempty"`
}

// Batch is what changed between two deliveries.
type Batch struct {
	// Revision is the store's after this batch; watch from it to go on.
	Revision overlay.Revision
	// Reset: Puts is everything the interest covers, and what is not in it is gone.
	Reset bool
	// Puts are resources that are new or changed, in the order of their change. On
	// Reset they are in the order of overlay.Kinds, of network and of name. Nobody
	// changes them: a store may give one value to several watchers.
	Puts []overlay.Resource
	// Deletes are keys of resources that are gone, or no longer covered, and of
	// some that were never delivered: what came and went since the last batch.
	// A key is in either Puts or Deletes, with its last change.
	Deletes []overlay.Key
	// Unknown says, of those Puts that a newer version of Weft wrote, what in
	// them this one does not understand. They are incomplete; whoever writes
	// them back would drop it.
	Unknown map[overlay.Key]string
}

// Change is one write: a Put or a Delete.
type Change struct {
	// Put is the resource to write. The store keeps UID and creation time of
	// an existing one, and counts Generation up when the spec changed.
	Put overlay.Resource
	// Delete is the key to delete, when Put is nil.
	Delete overlay.Key
	// Expect is the resource's revision that the writer has seen: Absent, Any,
	// or a resource's Meta.Revision.
	Expect int64
	// Status: only the status of Put is written; spec and the rest stay. Without
	// it only the spec is written, and the status of Put is ignored.
	Status bool
}

const (
	// Absent expects that the resource does not exist.
	Absent int64 = 0
	// Any expects nothing: last writer wins.
	Any int64 = -1
)

// Covers reports whether the interest includes the resource.
func (in Interest) Covers(r overlay.Resource) bool {
	if !in.CoversKey(r.Key()) {
		return false
	}
	if in.Node == "" {
		return true
	}
	switch r := r.(type) {
	case *overlay.Endpoint:
		return r.Spec.Node == in.Node
	case *overlay.Block:
		return r.Spec.Node == in.Node
	case *overlay.Tunnel:
		return r.Spec.Node == in.Node
	}
	return true
}

// CoversKey reports whether resources with the key can be included.
func (in Interest) CoversKey(k overlay.Key) bool {
	if len(in.Kinds) == 0 {
		if k.Kind.OnlyNamed() {
			return false
		}
	} else if !contains(in.Kinds, k.Kind) {
		return false
	}
	if len(in.Networks) == 0 {
		return true
	}
	switch {
	case k.Kind == overlay.KindNetwork:
		return contains(in.Networks, overlay.NetworkName(k.Name))
	case k.Kind.Networked():
		return contains(in.Networks, k.Network)
	}
	return true
}

func contains[T comparable](list []T, v T) bool {
	for _, w := range list {
		if w == v {
			return true
		}
	}
	return false
}
