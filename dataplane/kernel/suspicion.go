package kernel

import (
	"context"
	"maps"
	"sync"
	"time"

	"weft/overlay"
)

// suspicions are the objects of each network that may not be as wanted.
type suspicions struct {
	mu   sync.Mutex
	keys map[overlay.NetworkName]map[any]struct{}
	// looked is when a network was last looked at.
	looked map[overlay.NetworkName]time.Time
	more   chan struct{} // holds one token while there are some
}

func newSuspicions() *suspicions {
	return &suspicions{
		keys: map[overlay.NetworkName]map[any]struct{}{}, looked: map[overlay.NetworkName]time.Time{}, more: make(chan struct{}, 1),
	}
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

// inWorkload is the key of a suspicion about what is in a workload's namespace.
type inWorkload struct{ key any }

// pace is the least time between two looks at a network that nothing but workloads ask
// for, or devices that are not Weft's: one that plays with its interface does not keep the
// node busy.
const pace = 250 * time.Millisecond

// take returns the networks that are to be looked at now, forgets the suspicions about
// them, and says when the next is due, if there is one.
func (s *suspicions) take(now time.Time) (names []overlay.NetworkName, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.looked, func(_ overlay.NetworkName, at time.Time) bool { return now.Sub(at) > pace })
	for _, name := range sortedNames(s.keys) {
		left := s.looked[name].Add(pace).Sub(now)
		if left > 0 && onlyOthers(s.keys[name]) {
			if wait == 0 || left < wait {
				wait = left
			}
			continue
		}
		names = append(names, name)
		s.looked[name] = now
		delete(s.keys, name)
	}
	return names, wait
}

func onlyOthers(keys map[any]struct{}) bool {
	for k := range keys {
		switch k.(type) {
		case inWorkload, underlayDevice:
		default:
			return false
		}
	}
	return true
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
		case <-wait.C: // somebody's pace
		case <-ctx.Done():
			return
		}
		names, left := s.take(time.Now())
		for _, name := range names {
			verify(ctx, name)
		}
		if left > 0 {
			wait.Reset(left)
		}
	}
}
