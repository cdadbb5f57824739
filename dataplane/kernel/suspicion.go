package kernel

import (
	"context"
	"sync"
	"time"

	"weft/overlay"
)

// suspicions are the objects of each network that may not be as wanted.
type suspicions struct {
	mu   sync.Mutex
	keys map[overlay.NetworkName]map[any]struct{}
	more chan struct{} // holds one token while there are some
}

func newSuspicions() *suspicions {
	return &suspicions{keys: map[overlay.NetworkName]map[any]struct{}{}, more: make(chan struct{}, 1)}
}

func (s *suspicions) raise(n overlay.NetworkName, key any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[n] == nil {
		s.keys[n] = map[any]struct{}{}
	}
	s.keys[n][key] = struct{}{}
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func (s *suspicions) drop(n overlay.NetworkName, key any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys[n], key)
	if len(s.keys[n]) == 0 {
		delete(s.keys, n)
	}
}

// take returns the networks that are under suspicion, and forgets the suspicions.
func (s *suspicions) take() []overlay.NetworkName {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := sortedNames(s.keys)
	clear(s.keys)
	return names
}

// patience is how long a suspicion may be dropped by what the kernel says next. A
// change by several commands, or a flap, is thus one event.
const patience = 20 * time.Millisecond

// run calls verify with each network under suspicion, until ctx ends.
func (s *suspicions) run(ctx context.Context, verify func(context.Context, overlay.NetworkName)) {
	wait := time.NewTimer(patience)
	wait.Stop()
	defer wait.Stop()
	for {
		select {
		case <-s.more:
			wait.Reset(patience)
			select {
			case <-wait.C:
			case <-ctx.Done():
				return
			}
			for _, name := range s.take() {
				verify(ctx, name)
			}
		case <-ctx.Done():
			return
		}
	}
}
