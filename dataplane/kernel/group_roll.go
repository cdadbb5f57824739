package kernel

import (
	"slices"
	"time"

	"weft/overlay"
)

// Members of a group are heard every callInterval, and missed after callPatience: who is not
// reached is known within 5 s, and a few lost packets are not taken for that.
const (
	callInterval = 500 * time.Millisecond
	callPatience = 3 * time.Second
)

// roll is which of those who should be in a group were heard, and when.
type roll struct {
	since, heard map[overlay.NodeName]time.Time
}

func newRoll() roll {
	return roll{map[overlay.NodeName]time.Time{}, map[overlay.NodeName]time.Time{}}
}

// expect takes in who should be in the group from now on.
func (r roll) expect(members []overlay.NodeName, now time.Time) {
	for node := range r.since {
		if !slices.Contains(members, node) {
			delete(r.since, node)
			delete(r.heard, node)
		}
	}
	for _, node := range members {
		if !has(r.since, node) {
			r.since[node] = now
		}
	}
}

// hear takes in that a node was heard; of one that is not expected it keeps nothing.
func (r roll) hear(node overlay.NodeName, now time.Time) {
	if has(r.since, node) {
		r.heard[node] = now
	}
}

// excuse forgets how long anybody was not heard: nobody was listening.
func (r roll) excuse(now time.Time) {
	for node := range r.since {
		r.since[node] = now
		delete(r.heard, node)
	}
}

// silent are those that should have been heard by now, in order of their names.
func (r roll) silent(now time.Time) (nodes []overlay.NodeName) {
	for node, last := range r.since {
		if heard, ok := r.heard[node]; ok {
			last = heard
		}
		if now.Sub(last) > callPatience {
			nodes = append(nodes, node)
		}
	}
	slices.Sort(nodes)
	return nodes
}
