// Package encap knows how packets cross the underlay: the tunnel headers as pure
// codecs, what they cost in bytes, and which source port a flow gets.
//
// A codec follows package packet: ParseX returns a fresh header and what it
// carries, never panics and never allocates on success; Append writes it. What a
// header may carry and Weft does not understand is refused by name, as the kernel
// refuses it, so that nothing is lost without a word and every plane drops the same.
//
// Do not add sockets, devices, membership checks (the planes') or the headers of
// the packets inside (package packet).
package encap
