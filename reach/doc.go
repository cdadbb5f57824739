// Package reach finds out of the peers of a node's tunnels what no kernel tells: what
// address a DNS name stands for now, and whether the peer answers.
//
// A Watcher follows a set of peers. Each is looked up and asked by a goroutine of its
// own; what follows from the answers is decided by a pure machine. A peer that is not to
// be asked counts as up. Do not add routes or devices (the planes').
package reach
