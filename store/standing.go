package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"weft/overlay"
)

// Phase is how far a store is with being relied upon.
type Phase string

const (
	// Sound: what the store lacks is not there.
	Sound Phase = ""
	// Held: the store was wiped or restored, and what it lacks may be there. Until
	// somebody decides, nothing is allocated.
	Held Phase = "held"
	// TakingOwn: nodes tell what is theirs.
	TakingOwn Phase = "own"
	// TakingOthers: nodes tell what they know of those that have not told.
	TakingOthers Phase = "others"
)

// Standing is what a store knows of its own past: which stores it took the place
// of, and whether somebody has decided what becomes of what these held.
type Standing struct {
	// Revision is the store's now.
	Revision overlay.Revision `json:"revision"`
	// Version is for Stand: which record this is, 0 for none.
	Version int64 `json:"-"`
	Phase   Phase `json:"phase,omitempty"`
	// Replaces are the incarnations whose place this one takes. Whoever knew one
	// of them follows this store when it is sound.
	Replaces []string `json:"replaces,omitempty"`
	// Base is where the store was when it was found to be wiped or restored.
	Base overlay.Revision `json:"base,omitzero"`
	// Since is when that was, or when it was decided; Reason says how it was
	// found, or who decided what.
	Since  time.Time `json:"since,omitzero"`
	Reason string    `json:"reason,omitempty"`
	// FromNodes: nodes that have not told yet may still do so.
	FromNodes bool `json:"fromNodes,omitempty"`
	// Run is the recovery under way.
	Run string `json:"run,omitempty"`
	// Nodes are those that are known of, with what they told.
	Nodes map[overlay.NodeName]Told `json:"nodes,omitempty"`
}

// Told is what came of what a node told.
type Told struct {
	// Own: it has told what is its own; Others: what else it knows.
	Own    bool `json:"own,omitempty"`
	Others bool `json:"others,omitempty"`
	// Restored counts the resources that the store lacked, or had otherwise.
	Restored int `json:"restored,omitempty"`
	// Conflicts say what was not restored, and why, one line each.
	Conflicts []string `json:"conflicts,omitempty"`
}

// Covers reports whether who knew a store at a revision may follow this one, once
// it is sound: it knew this one as it was, or one whose place this one takes.
func (s Standing) Covers(known overlay.Revision) bool {
	switch {
	case known.IsZero():
		return true
	case known.Incarnation == s.Revision.Incarnation:
		return known.Number <= s.Revision.Number
	}
	return slices.Contains(s.Replaces, known.Incarnation)
}

// ErrStanding: the standing is another than the writer has seen.
var ErrStanding = errors.New("the store's standing was changed meanwhile")

// Ledger is the part of a store that servers keep its standing in. Nothing else
// writes it.
type Ledger interface {
	// Standing reads the standing, of whatever incarnation the store is now.
	Standing(ctx context.Context) (Standing, error)
	// Stand replaces the standing that was read, and the incarnation if the next
	// one names another; else the error is ErrStanding.
	Stand(ctx context.Context, was, next Standing) (Standing, error)
	// Seen is the latest revision that the store has answered with to this
	// process, and Follow has it go on from a standing in another incarnation.
	Seen() overlay.Revision
	Follow(Standing)
}

// Report is what a node on hold tells a server.
type Report struct {
	// Known is the revision of the store that the node follows, or did.
	Known overlay.Revision `json:"known"`
	// Node is its own record.
	Node *overlay.Node `json:"node"`
	// Phase says what it tells: nothing, its own, or what it knows of others.
	Phase Phase `json:"phase,omitempty"`
	// Nodes, Networks, Blocks, Tunnels and Endpoints are what it tells: of what is its own,
	// all there is.
	Nodes     []*overlay.Node     `json:"nodes,omitempty"`
	Networks  []*overlay.Network  `json:"networks,omitempty"`
	Blocks    []*overlay.Block    `json:"blocks,omitempty"`
	Tunnels   []*overlay.Tunnel   `json:"tunnels,omitempty"`
	Endpoints []*overlay.Endpoint `json:"endpoints,omitempty"`
}

// Answer says what a node on hold is to do.
type Answer struct {
	// Follow: take the store for the truth again, which is at Revision or later.
	Follow   bool             `json:"follow,omitempty"`
	Revision overlay.Revision `json:"revision"`
	// Wants is what the node is to tell next; empty for nothing.
	Wants Phase `json:"wants,omitempty"`
	// Missing are the nodes that have not told, where others are to tell of them.
	Missing []overlay.NodeName `json:"missing,omitempty"`
}

// Recovery is where nodes on hold report.
type Recovery interface {
	Report(ctx context.Context, r Report) (Answer, error)
}
