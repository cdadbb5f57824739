// Package plan computes what a node should forward from what it knows of the
// store.
//
// For is the whole truth: a pure function from a snapshot to a State. Planner
// computes the same from changes, one by one, and says what changed; a
// property test holds the two equal after any sequence of changes. Both stand
// on the same small functions: settle (what a network is on this node), route
// (a block), port (a local endpoint), remote and neighbor (a station).
//
// The answer depends on what is known, never on the order in which it became
// known. Where two resources claim the same thing, which a store forbids but
// two of its watches can show for a moment, the one written last has it.
//
// What cannot be built is not an error here: it is left out, and State.Problems
// says what and why. Do not add I/O, clocks, or what only one plane knows.
package plan
