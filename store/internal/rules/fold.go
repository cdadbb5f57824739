package rules

import "weft/overlay"

// Event is one change as a watch's interest sees it.
type Event struct {
	Key overlay.Key
	// Before: the interest covered the resource before the change.
	Before bool
	// After is the resource after the change; nil when it is gone or no longer covered.
	After overlay.Resource
}

// Fold makes of a sequence of events what a batch says of them: each key once,
// by its last event, in the order of the last events. What came and went is among
// the deletes: a writer that took in its own write ahead of its watch has it.
func Fold(events []Event) (puts []overlay.Resource, deletes []overlay.Key) {
	last := map[overlay.Key]int{}
	for i, e := range events {
		last[e.Key] = i
	}
	for i, e := range events {
		switch {
		case last[e.Key] != i:
		case e.After != nil:
			puts = append(puts, e.After)
		default:
			deletes = append(deletes, e.Key)
		}
	}
	return puts, deletes
}
