package dataplanetest

import (
	"reflect"
	"sync"

	"weft/dataplane"
)

// events is a queue without bound between a plane and a reader that may be slow;
// an event that waits already is not queued twice.
type events struct {
	out  chan dataplane.Event
	mu   sync.Mutex
	wait []dataplane.Event
	more chan struct{} // has room for one: there is something to send
	stop chan struct{}
	done chan struct{}
}

func newEvents() *events {
	e := &events{
		out: make(chan dataplane.Event), more: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	go e.run()
	return e
}

func (e *events) send(ev dataplane.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range e.wait {
		if reflect.DeepEqual(w, ev) {
			return
		}
	}
	e.wait = append(e.wait, ev)
	select {
	case e.more <- struct{}{}:
	default:
	}
}

// take returns the first event that waits.
func (e *events) take() (dataplane.Event, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.wait) == 0 {
		return dataplane.Event{}, false
	}
	ev := e.wait[0]
	e.wait = e.wait[1:]
	return ev, true
}

func (e *events) run() {
	defer close(e.done)
	defer close(e.out)
	for {
		select {
		case <-e.more:
		case <-e.stop:
			return
		}
		for ev, ok := e.take(); ok; ev, ok = e.take() {
			select {
			case e.out <- ev:
			case <-e.stop:
				return
			}
		}
	}
}

// close closes the channel that is read, and waits until nothing is sent any more.
func (e *events) close() {
	close(e.stop)
	<-e.done
}
