package kernel

import (
	"context"
	"sync"

	"weft/dataplane"
	"weft/overlay"
)

// outbox keeps events until somebody takes them. An event that waits is replaced
// by a later one about the same thing, so a slow reader costs no memory.
type outbox struct {
	mu      sync.Mutex
	order   []about
	pending map[about]dataplane.Event
	more    chan struct{} // holds one token while there are events
}

// about is what an event is about: a network, one of its ports, or a station
// behind that.
type about struct {
	network overlay.NetworkName
	port    overlay.EndpointName
	station overlay.MAC
}

func newOutbox() *outbox {
	return &outbox{pending: map[about]dataplane.Event{}, more: make(chan struct{}, 1)}
}

func (o *outbox) put(e dataplane.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	k := about{e.Network, e.Port, e.Station.MAC}
	if _, waits := o.pending[k]; !waits {
		o.order = append(o.order, k)
	}
	o.pending[k] = e
	select {
	case o.more <- struct{}{}:
	default:
	}
}

func (o *outbox) take() (dataplane.Event, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.order) == 0 {
		return dataplane.Event{}, false
	}
	k := o.order[0]
	o.order = o.order[1:]
	e := o.pending[k]
	delete(o.pending, k)
	return e, true
}

// run sends the events until ctx ends.
func (o *outbox) run(ctx context.Context, to chan<- dataplane.Event) {
	for {
		select {
		case <-o.more:
		case <-ctx.Done():
			return
		}
		for e, ok := o.take(); ok; e, ok = o.take() {
			select {
			case to <- e:
			case <-ctx.Done():
				return
			}
		}
	}
}
