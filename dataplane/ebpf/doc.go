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
// Do not add anything to a map that the programs do not read, but for those sums.
package ebpf
