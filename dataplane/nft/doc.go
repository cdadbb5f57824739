// Package nft is the kernel plane's filters: nf_tables rules that drop tunnel
// packets of strangers and frames with a forged source, count them by reason,
// and keep the host's own firewall from unencapsulated packets.
//
// A Ruleset is all that Weft has in one network namespace, as a value: Domain
// lowers a network to that of its domain, Host the networks of a node to that
// of the host. Diff compares two and gives Commands; a Command prints as nft(8)
// takes it, and Script as nft -f does. A Conn reads a namespace's Ruleset, and
// applies Commands in one transaction: the kernel goes from the old rules to
// the new ones at once, or stays with the old ones. The files objects*.go,
// lower*.go and diff*.go are pure: no I/O, no clock.
//
// Rules are the same for every network and port. What differs stands in sets
// and maps, so that a port or a member more is an element more, whatever there
// are already. Counters are objects of their own and outlive the rules that
// count. Only where something else has been made of a table, it is replaced as
// a whole, with its counters.
//
// All tables are named "weft", and all that is in them is Weft's. Nothing here
// touches another table, or needs the nft tool.
//
// The expressions of a rule are those of github.com/google/nftables. Its
// connection is not used: it can neither say "fwd" nor what a set of raw payload
// holds (typeof), skips what it does not know when it reads a rule, which would
// hide tampering, and asks for every rule's acknowledgement.
package nft
