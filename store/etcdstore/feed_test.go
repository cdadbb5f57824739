package etcdstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"weft/overlay"
	"weft/store"
)

// collector keeps the names of what a watch delivers.
type collector struct {
	names  []string
	resets int
	// nearly is closed at the last change but one.
	nearly chan struct{}
}

const changes = 100

var errAll = errors.New("got all")

func (c *collector) take(b store.Batch) error {
	if b.Reset {
		c.resets++
	}
	for _, r := range b.Puts {
		c.names = append(c.names, r.Key().Name)
		switch r.Key().Name {
		case node(changes - 1).Name:
			close(c.nearly)
		case node(changes).Name:
			return errAll
		}
	}
	return nil
}

// TestFallsBehind: who is slower than the feed's history, or begins before it,
// still gets every change, in order and without a Reset, and then uses the feed
// again. That is stopped with its last user.
func TestFallsBehind(t *testing.T) {
	t.Parallel()
	e := embedded(t, t.TempDir(), EmbedOptions{})
	e.feedKeeps = 10
	start := put(t, e, node(0))
	slow, late := &collector{nearly: make(chan struct{})}, &collector{nearly: make(chan struct{})}
	blocked, goOn := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 2)
	watch := func(deliver func(store.Batch) error) {
		ended <- e.Watch(t.Context(), store.Interest{}, start, deliver)
	}
	go watch(func(b store.Batch) error {
		if slow.names == nil {
			close(blocked)
			<-goOn
		}
		return slow.take(b)
	})
	put(t, e, node(1))
	<-blocked
	for n := 2; n < changes; n++ {
		put(t, e, node(n))
	}
	go watch(late.take)
	close(goOn)
	<-slow.nearly
	<-late.nearly
	put(t, e, node(changes))
	for range 2 {
		if err := <-ended; !errors.Is(err, errAll) {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]*collector{"slow": slow, "late": late} {
		if len(c.names) != changes || c.resets > 0 {
			t.Fatalf("%s: got %d changes, %d Resets; want %d changes", name, len(c.names), c.resets, changes)
		}
		for i, got := range c.names {
			if want := node(i + 1).Name; got != want {
				t.Fatalf("%s: change %d is %s, want %s", name, i, got, want)
			}
		}
	}
	if e.feed != nil {
		t.Error("the feed goes on without users")
	}
}

// TestBookmarks: a watch that sees nothing of what changes is told how far it is.
func TestBookmarks(t *testing.T) {
	t.Parallel()
	e := embedded(t, t.TempDir(), EmbedOptions{})
	at := put(t, e, node(1))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	batches := make(chan store.Batch)
	var wg sync.WaitGroup
	wg.Go(func() {
		in := store.Interest{Kinds: []overlay.Kind{overlay.KindNetwork}}
		err := e.Watch(ctx, in, at, func(b store.Batch) error {
			select {
			case batches <- b:
			case <-ctx.Done():
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	n := node(2)
	for range bookmarkEvery {
		n.Spec.UnderlayMTU++
		put(t, e, n)
	}
	b := <-batches
	if b.Reset || len(b.Puts)+len(b.Deletes) > 0 || b.Revision.Number < at.Number+bookmarkEvery {
		t.Errorf("after %s: got %+v", at, b)
	}
	cancel()
	wg.Wait()
}

// TestUnreadable: what cannot be decoded fails those that want it, and only those.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	e := embedded(t, t.TempDir(), EmbedOptions{})
	at := put(t, e, node(1))
	if _, err := e.kv.Put(t.Context(), e.keys.resource(node(2).Key()), "{"); err != nil {
		t.Fatal(err)
	}
	put(t, e, &overlay.Token{Meta: overlay.Meta{Kind: overlay.KindToken, Name: "t"}})
	stop := errors.New("stop")
	deliver := func(store.Batch) error { return stop }
	for _, from := range []overlay.Revision{{}, at} {
		if err := e.Watch(t.Context(), store.Interest{}, from, deliver); err == nil || errors.Is(err, stop) {
			t.Errorf("from %s: got %v", from, err)
		}
		tokens := store.Interest{Kinds: []overlay.Kind{overlay.KindToken}}
		if err := e.Watch(t.Context(), tokens, from, deliver); !errors.Is(err, stop) {
			t.Errorf("tokens from %s: got %v", from, err)
		}
	}
	if _, _, err := e.Update(t.Context(), store.Change{Put: node(2), Expect: store.Any}); err == nil {
		t.Error("written over")
	}
}

// TestCatchesUp: a watch that is interrupted while etcd sends a long past goes on
// from where it was, and misses nothing.
func TestCatchesUp(t *testing.T) {
	t.Parallel()
	e := embedded(t, t.TempDir(), EmbedOptions{})
	at := put(t, e, &overlay.Token{Meta: overlay.Meta{Kind: overlay.KindToken, Name: "t"}})
	// More revisions than etcd sends at once (mvcc.watchBatchMaxRevs).
	const past = 2500
	if err := fill(t.Context(), e, 1, past); err != nil {
		t.Fatal(err)
	}
	interrupted := errors.New("interrupted")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	in := store.Interest{Kinds: []overlay.Kind{overlay.KindEndpoint}}
	got, times := map[string]bool{}, 0
	for ; len(got) < past; times++ {
		err := e.Watch(ctx, in, at, func(b store.Batch) error {
			for _, r := range b.Puts {
				got[r.Key().Name] = true
			}
			at = b.Revision
			return interrupted
		})
		if !errors.Is(err, interrupted) {
			t.Fatalf("after %d of %d: %v", len(got), past, err)
		}
	}
	if times < 2 {
		t.Error("etcd sent everything at once: this proves nothing")
	}
}

// TestFeedForgets: a feed knows exactly what it still has.
func TestFeedForgets(t *testing.T) {
	t.Parallel()
	f := &feed{floor: 10, at: 10, keep: 3, news: make(chan struct{})}
	numbered := func(revisions ...int64) (list []change) {
		for _, r := range revisions {
			list = append(list, change{revision: r})
		}
		return list
	}
	add := func(upTo int64, revisions ...int64) {
		if err := f.add(numbered(revisions...), upTo); err != nil {
			t.Fatal(err)
		}
	}
	add(12, 11, 12)
	add(16, 13, 14, 16)
	add(17)
	for _, tt := range []struct {
		from int64
		want []change
		err  error
	}{
		{10, nil, errBehind},
		{11, nil, errBehind},
		{12, numbered(13, 14, 16), nil},
		{13, numbered(14, 16), nil},
		{15, numbered(16), nil},
		{17, nil, nil},
	} {
		got, upTo, _, err := f.after(tt.from)
		if !slices.Equal(got, tt.want) || err != tt.err || (err == nil && upTo != 17) {
			t.Errorf("after %d: got %v up to %d, error %v; want %v up to 17, error %v", tt.from, got, upTo, err, tt.want, tt.err)
		}
		if f.reaches(tt.from) != (tt.err == nil) {
			t.Errorf("reaches(%d) is %v", tt.from, f.reaches(tt.from))
		}
	}
}

// TestFeedOfIncarnation: a watch never gets the feed of another incarnation,
// which may live on for a moment.
func TestFeedOfIncarnation(t *testing.T) {
	t.Parallel()
	e := embedded(t, t.TempDir(), EmbedOptions{})
	at := put(t, e, node(1))
	before, leave := e.join(at)
	defer leave()
	if same, leave := e.join(at); same != before {
		t.Error("two feeds of one incarnation")
	} else {
		leave()
	}
	at.Incarnation = "another"
	other, leave := e.join(at)
	defer leave()
	if other == before {
		t.Error("one feed for two incarnations")
	}
}
