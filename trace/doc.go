// Package trace shows packets: it captures them on an interface, takes them apart
// layer by layer, and prints what it found for people and as JSON.
//
// [Decode] is pure: frame in, layers out, the same for a frame from a socket, a file
// or a test. It never fails: where a packet is broken, the layer says so in its
// Problem, and what cannot be read is data. Every field carries the bytes it was
// read from.
//
// [Capture] is the only part that touches the host, and it only listens.
//
// Do not add protocols here that package packet or encap cannot read.
package trace
