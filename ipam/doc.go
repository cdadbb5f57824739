// Package ipam chooses addresses, blocks, MACs and VNIs: given what is taken,
// it says what to take.
//
// It is pure. Whoever calls it writes the answer to the store in a transaction
// that refuses a claim which somebody else took meanwhile, and asks again; so
// nothing here has to lock, and nothing here makes duplicates impossible.
//
// Choosing goes round: it begins behind the one given last, not at the lowest
// that is free, so that an address which has just been freed is not given to
// somebody else while neighbours still have it in their caches. How many are
// looked at is bounded by how many are taken, never by the size of a subnet.
//
// Do not add I/O, clocks or a random source of its own.
package ipam
