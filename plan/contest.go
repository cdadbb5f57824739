package plan

import (
	"slices"

	"weft/overlay"
)

// contest keeps who claims a MAC or an address. Nearly all have one claimant,
// so the others are kept apart.
type contest[K comparable] struct {
	one    map[K]*overlay.Endpoint
	others map[K][]*overlay.Endpoint
}

func newContest[K comparable]() contest[K] {
	return contest[K]{one: map[K]*overlay.Endpoint{}, others: map[K][]*overlay.Endpoint{}}
}

// enter adds a claimant; entering twice is entering once.
func (c contest[K]) enter(k K, e *overlay.Endpoint) {
	had, ok := c.one[k]
	switch {
	case !ok:
		c.one[k] = e
	case had != e && !slices.Contains(c.others[k], e):
		c.others[k] = append(c.others[k], e)
	}
}

// leave takes a claimant away.
func (c contest[K]) leave(k K, e *overlay.Endpoint) {
	others := c.others[k]
	switch {
	case c.one[k] != e:
		others = slices.DeleteFunc(others, func(o *overlay.Endpoint) bool { return o == e })
	case len(others) > 0:
		c.one[k] = others[0]
		others = slices.Delete(others, 0, 1)
	default:
		delete(c.one, k)
	}
	if len(others) == 0 {
		delete(c.others, k)
	} else {
		c.others[k] = others
	}
}

// holder is the claimant that has it, among those that may; nil when none may.
func (c contest[K]) holder(k K, may func(*overlay.Endpoint) bool) *overlay.Endpoint {
	var best *overlay.Endpoint
	if e := c.one[k]; e != nil && may(e) {
		best = e
	}
	for _, e := range c.others[k] {
		if may(e) && (best == nil || outdates(&e.Meta, &best.Meta)) {
			best = e
		}
	}
	return best
}
