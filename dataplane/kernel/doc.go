// Package kernel forwards with what Linux has: a bridge or routes, vxlan
// devices, FDB entries, neighbours, routes and nft rules, in one network
// namespace per network.
//
// The way of a State is lower → Diff → do, and only the last step touches the
// host. Lower turns a State into Objects, the values that this package wants in
// the kernel; Diff compares them with the Objects that were observed and gives
// Ops; an Op prints as the command that does it and is done through netlink.
// Explain is Diff against an empty host. The files objects*.go, lower*.go,
// diff*.go, op*.go and explain.go are pure: no I/O, no clock.
//
// Every link that Weft makes is alone in a namespace of Weft's, or carries an alias
// that begins with "weft:"; every route has protocol 119. So all of it is found
// again without any memory, by the next daemon or by Down.
//
// The plane keeps no objects in memory but the State it was given: what the kernel
// announces is compared with that, entry by entry. A workload's namespace is never
// held open longer than one Apply: that would keep a dead container's namespace
// alive. What happens in there a listening post outside hears.
package kernel
