package dataplanetest

import (
	"time"

	"weft/dataplane"
	"weft/overlay"
)

// storms is storm control: a token bucket for each port, kept as the time at which it is full
// again.
type storms map[Place]time.Time

// mayFlood takes a token, if there is one.
func (s storms) mayFlood(at Place) bool {
	const every = time.Second / dataplane.StormRate
	now := time.Now()
	full := s[at]
	if full.Before(now) {
		full = now
	}
	if full.Sub(now) > (dataplane.StormBurst-1)*every {
		return false
	}
	s[at] = full.Add(every)
	return true
}

// heldBack is the Result without what was flooded to the members.
func (r Result) heldBack() Result {
	r.Deliveries = r.Deliveries[:len(r.Deliveries)-r.Flooded]
	r.Flooded, r.Drop = 0, overlay.DropStorm
	return r
}
