package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"

	"weft/api/identity"
	"weft/overlay"
	"weft/store"
)

const (
	// maxReport is the most that a report may have, in bytes: what a node knows of
	// some hundred thousand endpoints.
	maxReport = 64 << 20
	// maxConflicts is how many of a node's conflicts are kept, and maxAllConflicts of
	// all nodes': the standing is one value of etcd's, of 1.5 MiB at the most.
	maxConflicts    = 100
	maxAllConflicts = 1000
	// maxNamed is how many nodes are kept that others named.
	maxNamed = 10_000
)

// incarnation is what stores are told apart by, as far as it matters to who shows and
// keeps what a node claims to have known.
var incarnation = regexp.MustCompile(`^[A-Za-z0-9-]{0,64}$`)

// report takes what a node on hold tells, and says what it is to do.
func (s *Server) report(w http.ResponseWriter, r *http.Request, id identity.Identity) error {
	if s.Ledger == nil {
		return errNoLedger
	}
	if err := s.ready(r.Context()); err != nil {
		return err
	}
	var told store.Report
	if err := readJSON(w, r, &told, maxReport); err != nil {
		return err
	}
	answer, err := s.hear(r.Context(), id, told)
	if err != nil {
		return err
	}
	return WriteJSON(w, answer)
}

func (s *Server) hear(ctx context.Context, id identity.Identity, told store.Report) (store.Answer, error) {
	if err := sameHost(id, s.nodeOf(id)); err != nil {
		return store.Answer{}, err
	}
	if !incarnation.MatchString(told.Known.Incarnation) {
		return store.Answer{}, Invalid("", "known: %.40q is no store's incarnation", told.Known.Incarnation)
	}
	now, err := s.object(ctx, told.Known, id.String())
	if err != nil {
		return store.Answer{}, err
	}
	if told.Phase != "" && told.Phase == wants(now, id, told.Known) {
		if now, err = s.takeIn(ctx, id, now, told); err != nil {
			return store.Answer{}, err
		}
	}
	answer := store.Answer{Wants: wants(now, id, told.Known), Revision: now.Revision}
	switch {
	case answer.Wants == store.TakingOthers:
		answer.Missing = missing(now)
	case answer.Wants == "" && now.Phase == store.Sound:
		answer.Follow = true
		return answer, s.registered(ctx, id, told.Node)
	}
	return answer, nil
}

// wants is what a node is to tell next.
func wants(now store.Standing, id identity.Identity, known overlay.Revision) store.Phase {
	told := now.Nodes[overlay.NodeName(id.Name)]
	switch {
	case known.IsZero():
		return "" // it has forgotten what is its own; others may know
	case now.Phase == store.TakingOwn && !told.Own:
		return store.TakingOwn
	case now.Phase == store.TakingOthers && !told.Others:
		return store.TakingOthers
	case now.Phase == store.Sound && now.FromNodes && !told.Own && known.Incarnation != now.Revision.Incarnation:
		return store.TakingOwn // it comes late
	}
	return ""
}

func missing(now store.Standing) []overlay.NodeName {
	var names []overlay.NodeName
	for _, name := range slices.Sorted(maps.Keys(now.Nodes)) {
		if !now.Nodes[name].Own {
			names = append(names, name)
		}
	}
	return names
}

// registered has the node's record be there, before the node follows a store that
// may lack it.
func (s *Server) registered(ctx context.Context, id identity.Identity, n *overlay.Node) error {
	if n == nil || n.Name != id.Name || s.nodeOf(id) != nil {
		return nil
	}
	_, err := s.putBack(ctx, &telling{id: id}, n)
	return err
}

// telling is a report being taken in.
type telling struct {
	store.Report
	id  identity.Identity
	now store.Standing
	// has are the keys of what the node told.
	has      map[overlay.Key]bool
	restored int
	problems []string
}

// takeIn puts back what a node tells, and notes what came of it.
func (s *Server) takeIn(ctx context.Context, id identity.Identity, now store.Standing, told store.Report) (store.Standing, error) {
	t := &telling{Report: told, id: id, now: now, has: map[overlay.Key]bool{}}
	t.Nodes = slices.DeleteFunc(append(t.Nodes, t.Node), func(n *overlay.Node) bool { return n == nil })
	all := t.resources()
	for _, r := range all {
		t.has[r.Key()] = true
	}
	if err := s.forget(ctx, t); err != nil {
		return now, err
	}
	for _, r := range all {
		if !t.counts(r) || s.removedSince(t.now.Base, ownerOf(r)) {
			continue
		}
		put, err := s.putBack(ctx, t, r)
		switch {
		case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrRestored), ctx.Err() != nil:
			return now, err
		case err != nil:
			t.problems = append(t.problems, conflictText(r, err))
		case put:
			t.restored++
		}
	}
	s.log.Info("put back what a node had", "node", id.Name, "told", string(told.Phase), "restored", t.restored, "conflicts", t.problems)
	return s.amend(ctx, func(now *store.Standing) error {
		if now.Phase != t.now.Phase || now.Run != t.now.Run {
			return errAsItIs // it was in time, but nobody counts it
		}
		now.Nodes = t.noted(now.Nodes)
		return nil
	})
}

// resources are what was told, each after what it needs.
func (t *telling) resources() []overlay.Resource {
	var all []overlay.Resource
	all = collect(all, overlay.KindNode, t.Nodes)
	all = collect(all, overlay.KindNetwork, t.Networks)
	all = collect(all, overlay.KindBlock, t.Blocks)
	all = collect(all, overlay.KindTunnel, t.Tunnels)
	all = collect(all, overlay.KindEndpoint, t.Endpoints)
	slices.SortStableFunc(all, func(a, b overlay.Resource) int {
		return cmp.Or(byKind(a, b), cmp.Compare(isStation(a), isStation(b)), byKey(a, b))
	})
	return all
}

// collect appends resources of a kind, but for those that are none.
func collect[T any, P interface {
	*T
	overlay.Resource
}](all []overlay.Resource, kind overlay.Kind, list []P) []overlay.Resource {
	for _, r := range list {
		if r == nil {
			continue
		}
		if r.Header().Kind = kind; r.Validate() == nil {
			all = append(all, r)
		}
	}
	return all
}

func byKind(a, b overlay.Resource) int {
	kinds := overlay.Kinds()
	return cmp.Compare(slices.Index(kinds, a.Key().Kind), slices.Index(kinds, b.Key().Kind))
}

func isStation(r overlay.Resource) int {
	if e, ok := r.(*overlay.Endpoint); ok && e.Spec.Port == overlay.PortStation {
		return 1
	}
	return 0
}

// counts reports whether what the node says of a resource counts: its own always,
// others' when they are asked for and cannot tell themselves. Networks count when
// the recovery knew of the node: one that has joined since has known none before it.
func (t *telling) counts(r overlay.Resource) bool {
	owner := ownerOf(r)
	switch {
	case owner == "":
		_, known := t.now.Nodes[overlay.NodeName(t.id.Name)]
		return known || t.now.Phase != store.Sound
	case string(owner) == t.id.Name:
		return true
	case t.now.Phase != store.TakingOthers:
		return false
	}
	return !t.now.Nodes[owner].Own
}

// removedSince reports whether a node was removed while the store was on hold: what
// others know of it is not wanted back, and it cannot have joined again meanwhile.
func (s *Server) removedSince(base overlay.Revision, node overlay.NodeName) bool {
	r := s.revocation(overlay.HolderNode, string(node))
	return s.sound() != nil && r != nil && r.Revision > base.Number
}

// ownerOf is the node whose a resource is; empty for a network.
func ownerOf(r overlay.Resource) overlay.NodeName {
	switch r := r.(type) {
	case *overlay.Node:
		return overlay.NodeName(r.Name)
	case *overlay.Block:
		return r.Spec.Node
	case *overlay.Endpoint:
		return r.Spec.Node
	case *overlay.Tunnel:
		return r.Spec.Node
	}
	return ""
}

// noted adds what came of a telling, and the nodes that it names.
func (t *telling) noted(was map[overlay.NodeName]store.Told) map[overlay.NodeName]store.Told {
	nodes := maps.Clone(was)
	if nodes == nil {
		nodes = map[overlay.NodeName]store.Told{}
	}
	for _, n := range t.Nodes {
		if name := overlay.NodeName(n.Name); t.has[n.Key()] && !nodes[name].Own && len(nodes) < maxNamed {
			nodes[name] = was[name] // which makes it known
		}
	}
	name := overlay.NodeName(t.id.Name)
	mine := nodes[name]
	mine.Own = true
	mine.Others = t.now.Phase == store.TakingOthers
	mine.Restored += t.restored
	room := maxAllConflicts
	for other, told := range nodes {
		if other != name {
			room -= len(told.Conflicts)
		}
	}
	room = max(0, min(room, maxConflicts, len(t.problems)))
	mine.Conflicts = slices.Clone(t.problems[:room])
	if more := len(t.problems) - room; more > 0 {
		mine.Conflicts = append(mine.Conflicts, fmt.Sprintf("and %d more", more))
	}
	nodes[name] = mine
	return nodes
}

func conflictText(r overlay.Resource, err error) string {
	e := ErrorOf(err)
	if e.Code == CodeConflict {
		return fmt.Sprintf("%s is there already, otherwise", r.Key())
	}
	return e.Message
}
