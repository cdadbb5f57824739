package storetest

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weft/overlay"
	"weft/store"
	"weft/store/internal/rules"
)

var models = []check{
	{"Model", againstModel},
}

// model is the contract of Update at its plainest: a list of resources that is
// searched from end to end.
type model struct {
	has replica
}

// update says what an Update must do: the error it must return, or the spec
// and the status that are stored then.
func (m model) update(c store.Change) (overlay.Resource, error) {
	k := c.Delete
	if c.Put != nil {
		k = c.Put.Key()
	}
	old, exists := m.has[k]
	have := int64(0)
	if exists {
		have = old.Header().Revision
	}
	switch {
	case c.Put == nil && !exists:
		return nil, nil
	case c.Expect != store.Any && c.Expect != have:
		return nil, &store.ConflictError{Key: k, Have: have, Expected: c.Expect}
	case c.Put == nil:
		return nil, m.used(k)
	case c.Status && !exists:
		return nil, store.ErrNotFound
	}
	next := overlay.Copy(c.Put)
	if c.Status {
		next = withStatus(old, c.Put)
	} else if exists {
		next = withStatus(next, old)
	} else if n, ok := next.(*overlay.Node); ok {
		n.Status = overlay.NodeStatus{}
	}
	return next, m.admits(next)
}

// used is the error for a delete of what others need.
func (m model) used(k overlay.Key) error {
	for _, other := range m.sorted() {
		if slices.Contains(other.Needs(), k) {
			return &store.InUseError{Key: k, By: other.Key()}
		}
	}
	return nil
}

func (m model) admits(r overlay.Resource) error {
	for _, need := range r.Needs() {
		if m.has[need] == nil {
			return &store.MissingError{Key: r.Key(), Need: need}
		}
	}
	for _, claim := range r.Claims() {
		for k, other := range m.has {
			if k != r.Key() && slices.Contains(other.Claims(), claim) {
				return &store.ClaimedError{Claim: claim, Holder: k, Key: r.Key()}
			}
		}
	}
	return nil
}

func (m model) sorted() []overlay.Resource {
	list := slices.Collect(maps.Values(m.has))
	rules.Sort(list)
	return list
}

// withStatus is a copy of r with the status of another resource of its kind.
func withStatus(r, from overlay.Resource) overlay.Resource {
	r = overlay.Copy(r)
	if n, ok := r.(*overlay.Node); ok {
		n.Status = from.(*overlay.Node).Status
	}
	return r
}

// drawChange draws a change that has good chances to meet others.
func drawChange(t *rapid.T, m model) store.Change {
	var r overlay.Resource
	n := rapid.ByteRange(10, 13)
	switch rapid.IntRange(0, 7).Draw(t, "kind") {
	case 0:
		node := node(rapid.SampledFrom([]string{"a", "a-1"}).Draw(t, "node"), n.Draw(t, "underlay"))
		node.Status.Version = rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "status")
		r = node
	case 1:
		r = network(drawNetwork(t), overlay.VNI(4096+int(n.Draw(t, "vni"))))
	case 2:
		r = tunnel(rapid.SampledFrom([]string{"", "blue", "blue-1"}).Draw(t, "network"), rapid.SampledFrom([]string{"x", "y"}).Draw(t, "name"),
			rapid.SampledFrom([]string{"a", "a-1"}).Draw(t, "node"), n.Draw(t, "remote"))
	default:
		e := endpoint(drawNetwork(t), rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "name"),
			rapid.SampledFrom([]string{"a", "a-1"}).Draw(t, "node"), n.Draw(t, "mac"))
		e.Spec.Addresses[0] = address(n.Draw(t, "address"))
		r = e
	}
	c := store.Change{Put: r, Expect: store.Any, Status: rapid.IntRange(0, 4).Draw(t, "status alone") == 0}
	if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
		c = store.Change{Delete: r.Key(), Expect: store.Any}
	}
	if old := m.has[r.Key()]; old != nil {
		revision := old.Header().Revision
		c.Expect = rapid.SampledFrom([]int64{store.Any, revision, revision, revision - 1, store.Absent}).Draw(t, "expect")
	} else {
		c.Expect = rapid.SampledFrom([]int64{store.Any, store.Absent, store.Absent, 7}).Draw(t, "expect")
	}
	return c
}

func drawNetwork(t *rapid.T) string {
	return rapid.SampledFrom([]string{"blue", "blue-1"}).Draw(t, "network")
}

// againstModel makes random changes to the store and to the model: they must
// agree on each. Afterwards, watches with random interests, from the start and
// from random revisions, must all end with what the model has.
func againstModel(t *testing.T, s store.Store) {
	rapid.Check(t, func(rt *rapid.T) {
		history := []past{{at: wipe(rt, s), has: replica{}}}
		m := model{has: replica{}}
		for range rapid.IntRange(1, 40).Draw(rt, "changes") {
			c := drawChange(rt, m)
			at := step(rt, s, m, c)
			if !at.IsZero() {
				history = append(history, past{at: at, has: maps.Clone(m.has)})
			}
		}
		in := drawInterest(rt)
		end := history[len(history)-1].at
		converge(rt, s, in, past{}, end, m.has)
		converge(rt, s, in, rapid.SampledFrom(history).Draw(rt, "from"), end, m.has)
	})
}

// step makes one change to both, and returns the store's revision after it if
// it was made.
func step(t *rapid.T, s store.Store, m model, c store.Change) overlay.Revision {
	want, wantErr := m.update(c)
	got, at, err := s.Update(context.Background(), c)
	if !sameError(err, wantErr) {
		t.Fatalf("change %+v: got error %v, want %v", c, err, wantErr)
	}
	if err != nil {
		return overlay.Revision{}
	}
	if c.Put == nil {
		delete(m.has, c.Delete)
		return at
	}
	k, old := got.Key(), m.has[got.Key()]
	*want.Header() = *got.Header()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("change %+v: got %+v, want %+v", c, got, want)
	}
	if old != nil {
		checkMeta(t, c, old, got)
	}
	m.has[k] = got
	return at
}

// checkMeta holds what a store sets to what changed.
func checkMeta(t *rapid.T, c store.Change, old, got overlay.Resource) {
	was, is := *old.Header(), *got.Header()
	specAsBefore := reflect.DeepEqual(withStatus(got, old), withMeta(old, is))
	want := was
	want.Revision = is.Revision
	if !specAsBefore {
		want.Generation++
	}
	same := reflect.DeepEqual(got, withMeta(old, is))
	if is != want || same != (is.Revision == was.Revision) {
		t.Fatalf("change %+v: got %+v after %+v", c, is, was)
	}
}

func withMeta(r overlay.Resource, m overlay.Meta) overlay.Resource {
	r = overlay.Copy(r)
	*r.Header() = m
	return r
}

func sameError(got, want error) bool {
	switch want := want.(type) {
	case nil:
		return got == nil
	case *store.ConflictError:
		e, ok := errors.AsType[*store.ConflictError](got)
		return ok && *e == *want
	case *store.MissingError:
		e, ok := errors.AsType[*store.MissingError](got)
		return ok && *e == *want
	case *store.InUseError:
		// Any of those that need it will do.
		e, ok := errors.AsType[*store.InUseError](got)
		return ok && e.Key == want.Key
	case *store.ClaimedError:
		e, ok := errors.AsType[*store.ClaimedError](got)
		return ok && *e == *want
	}
	return errors.Is(got, want)
}

func drawInterest(t *rapid.T) store.Interest {
	in := store.Interest{
		Kinds: rapid.SliceOfDistinct(rapid.SampledFrom(
			[]overlay.Kind{overlay.KindNode, overlay.KindNetwork, overlay.KindEndpoint, overlay.KindTunnel}), rapid.ID).Draw(t, "kinds"),
		Node: rapid.SampledFrom([]overlay.NodeName{"", "", "a", "a-1"}).Draw(t, "of node"),
	}
	for _, n := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"blue", "blue-1"}), rapid.ID).Draw(t, "networks") {
		in.Networks = append(in.Networks, overlay.NetworkName(n))
	}
	return in
}

// converge watches from a point in the past until the watch has what the
// interest covers of the end.
func converge(t *rapid.T, s store.Store, in store.Interest, from past, end overlay.Revision, all replica) {
	want, has := replica{}, replica{}
	for k, r := range all {
		if in.Covers(r) {
			want[k] = r
		}
	}
	for k, r := range from.has {
		if in.Covers(r) {
			has[k] = r
		}
	}
	w := &watcher{t: t, in: in, at: from.at, has: has}
	if reflect.DeepEqual(has, want) && !from.at.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	done := errors.New("converged")
	err := s.Watch(ctx, in, from.at, func(b store.Batch) error {
		w.apply(b)
		if reflect.DeepEqual(w.has, want) {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Fatalf("watch %+v from %s: %v; got %v, want %v at %s", in, from.at, err, w.has, want, end)
	}
}

// wipe empties the store and returns its revision.
func wipe(t *rapid.T, s store.Store) overlay.Revision {
	stop := errors.New("listed")
	var at overlay.Revision
	var all []overlay.Resource
	err := s.Watch(context.Background(), store.Interest{}, overlay.Revision{}, func(b store.Batch) error {
		at, all = b.Revision, b.Puts
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatalf("list: %v", err)
	}
	for _, r := range slices.Backward(all) {
		if _, at, err = s.Update(context.Background(), store.Change{Delete: r.Key(), Expect: store.Any}); err != nil {
			t.Fatalf("delete %s: %v", r.Key(), err)
		}
	}
	return at
}
