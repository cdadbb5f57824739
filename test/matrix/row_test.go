package matrix

import (
	"fmt"
	"slices"

	"weft/overlay"
)

// peerKind is who is at the other end.
type peerKind string

const (
	// stock is Debian's Linux 6.12 with the device that somebody types.
	stock peerKind = "Linux 6.12"
	// typed is a namespace of the machine's own kernel with the same device.
	typed peerKind = "typed"
	// ovs is Open vSwitch's own datapath.
	ovs peerKind = "Open vSwitch"
	// weftEBPF, weftKernel and weftUser are Weft on another plane.
	weftEBPF   peerKind = "Weft's ebpf"
	weftKernel peerKind = "Weft's kernel"
	weftUser   peerKind = "Weft's user"
)

// peers are all, as the document's columns.
var peers = []peerKind{stock, typed, ovs, weftEBPF, weftKernel, weftUser}

// plane is Weft's at the other end; none: it is somebody else.
func (p peerKind) plane() overlay.PlaneName {
	return map[peerKind]overlay.PlaneName{weftEBPF: overlay.PlaneEBPF, weftKernel: overlay.PlaneKernel, weftUser: overlay.PlaneUser}[p]
}

// row is a subject on a plane of Weft's with a peer, over an underlay.
type row struct {
	subject
	over  overlay.Family
	plane overlay.PlaneName
	peer  peerKind
	// number is its own, from 1: addresses, names and identifiers are made of it.
	number int
}

func (r row) String() string {
	return fmt.Sprintf("%s over %s, %s and %s", r.subject, r.over, r.plane, r.peer)
}

// bed is where a row is tested.
type bed string

const (
	// onWire has the peer in a machine on the wire of a namespace; beside has it in another
	// namespace.
	onWire bed = "on the wire"
	beside bed = "beside"
	// within has both in namespaces of a machine.
	within bed = "in a machine"
)

// planes are Weft's, as the document has them.
var planes = []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel, overlay.PlaneUser}

// rows are all that are tested.
var rows = func() (all []row) {
	for _, s := range subjects {
		for _, over := range families {
			for _, plane := range planes {
				for _, peer := range peers {
					r := row{s, over, plane, peer, len(all) + 1}
					if at, _ := place(r); at != "" {
						all = append(all, r)
					}
				}
			}
		}
	}
	return all
}()

// first reports whether it is the first of the rows that differ in the peer alone. What is made for
// a column the peer has no part in, so one row of these is enough.
func (r row) first() bool {
	for _, o := range rows {
		if o.subject == r.subject && o.over == r.over && o.plane == r.plane {
			return o.peer == r.peer
		}
	}
	return false
}

// rowsAt are those of a bed with some peers.
func rowsAt(at bed, with ...peerKind) (some []row) {
	for _, r := range rows {
		if where, _ := place(r); where == at && slices.Contains(with, r.peer) {
			some = append(some, r)
		}
	}
	return some
}
