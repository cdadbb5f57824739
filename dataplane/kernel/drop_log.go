package kernel

import (
	"context"
	"slices"
	"sync"

	"weft/dataplane"
	"weft/overlay"
)

// Heard is whom programs tell. Its functions are quick, and may be called by several goroutines.
type Heard struct {
	Sighted func(Sighting)
	Dropped func(dataplane.DroppedPacket)
}

// dropsKept is how many dropped packets a plane remembers.
const dropsKept = 1000

// dropLog remembers the packets that were dropped last. They are numbered from 2, so that
// there always is a last one to ask for more after.
type dropLog struct {
	mu   sync.Mutex
	kept []dataplane.DroppedPacket
	last uint64
	// more is closed when there is one more.
	more chan struct{}
}

func newDropLog() *dropLog { return &dropLog{last: 1, more: make(chan struct{})} }

func (l *dropLog) add(p dataplane.DroppedPacket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept = append(l.kept, p); len(l.kept) > dropsKept {
		l.kept = slices.Delete(l.kept, 0, len(l.kept)-dropsKept)
	}
	l.last++
	close(l.more)
	l.more = make(chan struct{})
}

// since are those of a network, or of all, after a number, and what is closed when there are
// more.
func (l *dropLog) since(name overlay.NetworkName, after uint64) (d dataplane.Dropped, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.last - uint64(len(l.kept)) // the number of the one before
	d = dataplane.Dropped{Packets: []dataplane.DroppedPacket{}, Last: l.last}
	if after > l.last { // of another run
		after = 0
	}
	if after > 0 && after < first {
		d.Forgotten = first - after
	}
	for _, p := range l.kept[max(after, first)-first:] {
		if name == "" || p.Network == name {
			d.Packets = append(d.Packets, p)
		}
	}
	return d, l.more
}

// Dropped returns the packets of a network, or of all if the name is empty, that programs
// dropped last. After is the number of the last one that is known already: if there is none
// after it, Dropped waits for one, or for ctx. What the kernel drops it does not show.
func (p *Plane) Dropped(ctx context.Context, name overlay.NetworkName, after uint64) dataplane.Dropped {
	for {
		d, more := p.drops.since(name, after)
		if after == 0 || len(d.Packets) > 0 || d.Forgotten > 0 || d.Last < after {
			return d
		}
		select {
		case <-ctx.Done():
			return d
		case <-more:
		}
	}
}
