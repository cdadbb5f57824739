// Package storetest is the contract of [store.Store] as a test suite: every
// implementation runs it, so that whoever uses one can use any.
//
// The suite writes resources that are valid and complete, so that a server in
// front of a store has nothing to add to them. Batches may be coalesced in any
// way; the suite looks at what they add up to.
package storetest

import (
	"context"
	"testing"
	"time"

	"weft/store"
)

// Factory makes an empty store whose time of creations is [Now], and has it
// closed when the test ends. The suite uses one store at a time.
type Factory func(t *testing.T) store.Store

// Compactor is what a store, or a test's wrapper of it, has in addition if its
// history can be compacted on demand: changes so far are forgotten.
type Compactor interface {
	Compact(ctx context.Context) error
}

// Restorer is what a store, or a test's wrapper of it, has in addition if it can
// become another incarnation on demand, with what it holds.
type Restorer interface {
	Restore(ctx context.Context) error
}

// Now is the time that stores under test take for creations.
func Now() time.Time { return time.Date(2001, 2, 3, 4, 5, 6, 7, time.UTC) }

// Run runs the suite.
func Run(t *testing.T, open Factory) {
	for _, group := range [][]check{updates, claims, needs, watches, tunnels, resumes, standings, races, models} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
		}
	}
}

// Blocks runs the part of the suite that writes blocks, which only servers make.
func Blocks(t *testing.T, open Factory) {
	t.Run("BlocksOfNode", func(t *testing.T) { blocksOfNode(t, open(t)) })
}

// check is one rule of the contract.
type check struct {
	name string
	run  func(t *testing.T, s store.Store)
}
