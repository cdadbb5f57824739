package agent

import (
	"context"
	"sync"

	"weft/overlay"
)

// turns lets one request at a time attach to a place: who asks again while the first
// request is being undone, as its caller is gone, gets an endpoint that stays.
type turns struct {
	mu    sync.Mutex
	taken map[overlay.Attach]chan struct{}
}

// take waits for a place to be free, and has it until done is called.
func (t *turns) take(ctx context.Context, at overlay.Attach) (done func(), err error) {
	at.Identity = ""
	for {
		mine := make(chan struct{})
		others := t.claim(at, mine)
		if others == nil {
			return func() { t.release(at, mine) }, nil
		}
		select {
		case <-others:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// claim notes that the place is mine, or returns whose it is.
func (t *turns) claim(at overlay.Attach, mine chan struct{}) (others chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if others, ok := t.taken[at]; ok {
		return others
	}
	if t.taken == nil {
		t.taken = map[overlay.Attach]chan struct{}{}
	}
	t.taken[at] = mine
	return nil
}

func (t *turns) release(at overlay.Attach, mine chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.taken, at)
	close(mine)
}
