package kernel

import (
	"context"
	"fmt"
	"time"
)

// awaitRunning waits until a link that was set up sends and receives. The kernel
// notices a veth's carrier in the background (net/core/link_watch.c), at once or
// up to a second later; until then the link drops what it is given. Since Linux 6.8
// asking for the link makes the kernel notice.
func (h *hand) awaitRunning(ctx context.Context, id LinkID) error {
	ctx, cancel := context.WithTimeout(ctx, carrierTime)
	defer cancel()
	s, err := h.in(id.NS)
	if err != nil {
		return err
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		l, ok, err := s.named(id.Name)
		if err != nil {
			return err
		}
		if !ok || !l.carrier || l.running {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for link %s to come up: %w", id.Name, ctx.Err())
		}
	}
}

// carrierTime is more than the kernel takes to notice a carrier.
const carrierTime = 3 * time.Second
