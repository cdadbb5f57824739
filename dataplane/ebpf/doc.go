// Package ebpf forwards with programs of Weft's own on tc (tcx, or cls_bpf where the kernel has
// none): one on every port, one on the veth into a network's domain, and two where tunnel
// packets come in. FDB, neighbours, members, routes and filters are entries of maps, so that no
// bridge and no FORWARD chain stands between a port and the underlay.
//
// The way of a network is Lower → diff → write: Lower turns it, purely, into Tables,
// which hold the entries as the programs read them. Programs are pinned, and so are
// the maps: the kernel forwards on when the daemon is gone.
//
// Every key begins with the network's VNI. Links, addresses and the routes of a network's
// own host are the kernel plane's to make; what is here is only what the programs need.
//
// Every port and every VTEP of a network has a counter, which the entries name that a packet
// looks up anyway; what has gone is added to its network's sums first (Counters).
//
// Entries of hash maps take memory as they come (BPF_F_NO_PREALLOC): with room for hundreds of
// thousands of remote endpoints the maps take 22 MiB on a node that has ten, where 124 would be
// taken from the beginning (BenchmarkMapMemory). That costs up to twice the time of an
// insertion, which no packet waits for, and next to nothing in a look-up
// (BenchmarkEntries). Room that grows by need would take new programs each time.
//
// Do not add anything to a map that the programs do not read, but for those sums.
package ebpf
