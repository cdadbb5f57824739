// Package etcdstore keeps resources in etcd: one that it embeds, or a cluster
// that exists already.
//
// Beneath the prefix [/weft] there are these keys; a path is kind/network/name,
// "endpoint/blue/web", with "-" where a kind has no network:
//
//	PATH               a resource, as JSON
//	claim/CLAIM        the path of the resource that holds the claim
//	need/PATH/PATH     empty: the second resource needs the first
//	incarnation        minted when the store is made, and after a restore
//	standing           which incarnations this one replaces, and whether it may be relied upon
//	kept/NAME          what servers share: the CA's key
//
// An Update is one etcd transaction. It compares all that it relies on: the
// incarnation, the resource's revision, who holds each claim, that what is
// needed is there, that nobody needs what is deleted. When a comparison fails,
// the same transaction returns what is there instead, and from that follows a
// typed error or the next attempt.
//
// All Watches share one etcd watch over the whole prefix, their feed, and each
// filters what it wants; so its revision stands still only when the store does.
// That watch is a single stream: etcd's own client would resume a broken one by
// itself, and wait for ever for a revision that a restored server has yet to
// reach. Whoever begins further back than the feed has a watch of its own until
// it has caught up.
//
// Do not add caching of what the store holds, and no policy.
package etcdstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"weft/store"
)

// Options change how a Store works.
type Options struct {
	// Prefix of every key, without a slash at its end [/weft].
	Prefix string
	// Now is the time of creations [time.Now].
	Now func() time.Time
	// Timeout of one request to etcd [5 s]; then the store is not available.
	Timeout time.Duration
}

const (
	defaultPrefix  = "/weft"
	defaultTimeout = 5 * time.Second
)

// Store keeps resources in etcd. Its methods may be called concurrently.
type Store struct {
	kv      clientv3.KV
	stream  streamer
	keys    layout
	now     func() time.Time
	timeout time.Duration
	// release is for Close: it gives back what the store was made with, once.
	release func() error

	incarnation atomic.Pointer[string]
	// highest is the highest revision that etcd has answered with. One that is
	// lower afterwards means that etcd was restored, and sets wentBack.
	highest  atomic.Int64
	wentBack atomic.Bool

	mu sync.Mutex
	// calls has what ends each Watch and Update under way; nil when closed.
	calls map[*context.CancelFunc]bool
	// feed is what watches share, while there are any. It keeps feedKeeps changes.
	feed      *feed
	feedKeeps int
	ended     sync.WaitGroup
}

var _ store.Store = (*Store)(nil)

// Open returns the store beneath a prefix of an etcd cluster, which it makes if it
// is not there. The client stays the caller's.
func Open(ctx context.Context, client *clientv3.Client, o Options) (*Store, error) {
	return open(ctx, client.KV, connected(client), func() error { return nil }, o)
}

func open(ctx context.Context, kv clientv3.KV, stream streamer, release func() error, o Options) (*Store, error) {
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if !strings.HasPrefix(o.Prefix, "/") || strings.HasSuffix(o.Prefix, "/") {
		return nil, fmt.Errorf("etcd prefix %q: want a slash at its beginning and none at its end", o.Prefix)
	}
	s := &Store{
		kv:      kv,
		stream:  stream,
		keys:    newLayout(o.Prefix),
		now:     o.Now,
		timeout: o.Timeout,
		release: sync.OnceValue(release),
		calls:   map[*context.CancelFunc]bool{},

		feedKeeps: feedKeeps,
	}
	if err := s.mint(ctx); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return s, nil
}

// mint reads the incarnation, and makes one if there is none.
func (s *Store) mint(ctx context.Context) error {
	key, incarnation := s.keys.incarnation(), rand.Text()
	t := transaction{
		when: []clientv3.Cmp{absent(key)},
		then: []clientv3.Op{clientv3.OpPut(key, incarnation)},
		look: []clientv3.Op{clientv3.OpGet(key)},
	}
	resp, err := s.commit(ctx, t)
	if err != nil {
		return err
	}
	if !resp.Succeeded {
		incarnation = sight(t.look, resp).value(key, "")
	}
	s.incarnation.Store(&incarnation)
	return nil
}

// Incarnation is what the store's revisions are counted in.
func (s *Store) Incarnation() string { return *s.incarnation.Load() }

// Restore gives the store a new incarnation, as must be done after etcd was
// restored or when what a server remembers is to be forgotten. Watches end with
// ErrRestored, and so does everything on other servers, until their stores are
// opened again.
func (s *Store) Restore(ctx context.Context) error {
	inner, leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	incarnation := rand.Text()
	s.wentBack.Store(false)
	s.highest.Store(0)
	if err := s.request(inner, func(ctx context.Context) (*pb.ResponseHeader, error) {
		resp, err := s.kv.Put(ctx, s.keys.incarnation(), incarnation)
		if err != nil {
			return nil, err
		}
		return resp.Header, nil
	}); err != nil {
		return fmt.Errorf("write incarnation: %w", err)
	}
	s.incarnation.Store(&incarnation)
	return nil
}

// Close ends what is under way, with ErrUnavailable, and releases what the store
// was made with.
func (s *Store) Close() error {
	s.shut()
	s.ended.Wait()
	return s.release()
}

// shut refuses further calls and ends those under way.
func (s *Store) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for cancel := range s.calls {
		(*cancel)()
	}
	s.calls = nil
}

// enter begins a call that Close waits for. leave ends it.
func (s *Store) enter(ctx context.Context) (inner context.Context, leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls == nil {
		return nil, nil, errClosed
	}
	inner, cancel := context.WithCancel(ctx)
	s.calls[&cancel] = true
	s.ended.Add(1)
	return inner, func() {
		defer s.ended.Done()
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.calls, &cancel)
	}, nil
}

// request makes one request to etcd and holds its answer's revision against
// the highest seen before: requests are linearizable, so it cannot be lower.
func (s *Store) request(ctx context.Context, do func(context.Context) (*pb.ResponseHeader, error)) error {
	if s.wentBack.Load() {
		return store.ErrRestored
	}
	floor := s.highest.Load()
	timed, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	header, err := do(timed)
	if err != nil {
		return classify(ctx, err)
	}
	if header.Revision < floor {
		s.wentBack.Store(true)
		return store.ErrRestored
	}
	for high := s.highest.Load(); header.Revision > high; high = s.highest.Load() {
		if s.highest.CompareAndSwap(high, header.Revision) {
			break
		}
	}
	return nil
}
