package matrix

import (
	"cmp"

	"weft/overlay"
)

// place is where a row is tested, or why it is not.
func place(r row) (bed, string) {
	if why := cmp.Or(notHere(r), notWithPeer(r)); why != "" {
		return "", why
	}
	vxlan := r.mode == overlay.TunnelVXLAN
	switch {
	case r.plane == overlay.PlaneKernel && !vxlan, r.peer == weftKernel && !vxlan:
		return within, ""
	case r.peer == stock:
		return onWire, ""
	}
	return beside, ""
}

// notHere says why it is not on the plane, whoever is at the other end.
func notHere(r row) string { return cmp.Or(r.subject.absent(r), notOnPlane(r)) }

// absent says why there is no such thing over an underlay.
func (s subject) absent(r row) string {
	if s.option == limited && r.over == v4 {
		return "the limit is an option of IPv6"
	}
	if s.option == udpSummed && r.over == v6 {
		return "over IPv6 peers have outer checksums unless they are told otherwise"
	}
	return ""
}

// notOnPlane says why Weft's plane does not have it.
func notOnPlane(r row) string {
	udp := r.mode == overlay.TunnelUDP
	switch {
	case udp && r.plane != overlay.PlaneUser:
		return "udp is the user plane's"
	case !udp && r.plane == overlay.PlaneUser:
		return "the user plane does udp"
	}
	return ""
}

// notWithPeer says why there is no such peer, or nothing new to be seen with it.
func notWithPeer(r row) string {
	vxlan := r.mode == overlay.TunnelVXLAN
	switch {
	case r.peer == typed && !vxlan:
		return "this machine's kernel has no such device; see Linux 6.12"
	case r.peer == ovs:
		return notWithSwitch(r)
	case r.peer.plane() != "" && r.attached():
		return "on the wire it is as where it stands alone; see there"
	case r.peer.plane() == r.plane:
		return "the same plane on both sides proves nothing"
	case r.peer == weftEBPF && r.plane == overlay.PlaneKernel:
		return "see plane ebpf with the kernel plane"
	case r.peer.plane() != "":
		if other := notOnPlane(row{r.subject, r.over, r.peer.plane(), r.peer, 0}); other != "" {
			return other
		}
		return weftHasNoOption(r)
	}
	return ""
}

// weftHasNoOption: some are for peers to choose, and never Weft's.
func weftHasNoOption(r row) string {
	switch r.option {
	case limited, udpSummed, inside4, inside6:
		return "what is special is the peer's doing, and no plane of Weft's does it"
	}
	return ""
}

// notWithSwitch says what Open vSwitch does not do.
func notWithSwitch(r row) string {
	switch {
	case r.mode == overlay.TunnelIPIP || r.mode == overlay.TunnelSIT || r.mode == overlay.TunnelUDP:
		return "Open vSwitch has no such tunnel"
	case r.form == inRouted:
		return "see the tunnel that stands alone"
	case r.form == routed:
		return "Open vSwitch is a switch: it has no part in a routed network"
	case r.option == full:
		return "Open vSwitch's checksum leaves out the sequence number where there are both"
	case r.option == limited:
		return "Open vSwitch sends no tunnel encapsulation limit"
	case r.plane == overlay.PlaneKernel && r.mode != overlay.TunnelVXLAN:
		return "there is no Open vSwitch in the machine"
	}
	return ""
}
