// Package control makes a node match the store: watch, plan, apply, observe,
// report, again and again.
//
// One goroutine, Loop.Run's own, holds all state: what was received, the
// planner, what the plane was last given. Watches, the plane's events and the
// callers of Ensure and Drop send to it. So nothing here needs a lock, and the
// order of effects is the order of receipt.
//
// Nothing is applied before every watch has delivered once (or, when the
// servers cannot be reached, before the cache of the last run was loaded): an
// agent that starts sees a whole picture or keeps its hands off.
package control
