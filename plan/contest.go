package plan

import (
	"slices"

	"weft/overlay"
)

// contest keeps who claims what, and who has it: claims that can be given up
// again. Nearly every claim has one claimant, so the others are kept apart.
type contest[K comparable] struct {
	holder claims[K]
	others map[K][]*overlay.Endpoint
}

func newContest[K comparable]() contest[K] {
	return contest[K]{holder: claims[K]{}, others: map[K][]*overlay.Endpoint{}}
}

// enter adds a claimant; entering twice is entering once.
func (c contest[K]) enter(k K, e *overlay.Endpoint) {
	had, ok := c.holder[k]
	switch {
	case !ok:
		c.holder[k] = e
	case had == e || slices.Contains(c.others[k], e):
	case outdates(e.Meta, had.Meta):
		c.holder[k] = e
		c.others[k] = append(c.others[k], had)
	default:
		c.others[k] = append(c.others[k], e)
	}
}

// leave takes a claimant away; the best of the others succeeds it.
func (c contest[K]) leave(k K, e *overlay.Endpoint) {
	others := c.others[k]
	if c.holder[k] != e {
		c.keep(k, slices.DeleteFunc(others, func(o *overlay.Endpoint) bool { return o == e }))
		return
	}
	if len(others) == 0 {
		delete(c.holder, k)
		return
	}
	best := 0
	for i, o := range others {
		if outdates(o.Meta, others[best].Meta) {
			best = i
		}
	}
	c.holder[k] = others[best]
	c.keep(k, slices.Delete(others, best, best+1))
}

func (c contest[K]) keep(k K, others []*overlay.Endpoint) {
	if len(others) == 0 {
		delete(c.others, k)
		return
	}
	c.others[k] = others
}
