package matrix

import (
	"weft/overlay"
)

// expected is what is to become of what a column is about in a row.
func expected(r row, column string) outcome {
	if f, ok := expectations[column]; ok {
		return f(r)
	}
	return good
}

// expectations are those that are not the same in all rows.
var expectations = map[string]func(row) outcome{
	"IPv4":          func(r row) outcome { return r.inFamily(v4) },
	"IPv6":          func(r row) outcome { return r.inFamily(v6) },
	"TCP":           row.cut,
	"larger":        row.told,
	columnMulticast: row.toGroup,
	columnBroadcast: row.toSubnet,
	"wrong key":     row.withKey,
	"stranger":      row.fromStranger,
	"checksum":      row.withChecksum,
	"late":          row.withNumber,
}

func (r row) ebpf() bool   { return r.plane == overlay.PlaneEBPF }
func (r row) kernel() bool { return r.plane == overlay.PlaneKernel }

func (r row) inFamily(f overlay.Family) outcome {
	switch {
	case r.fits(f):
		return good
	case r.option == inside4 || r.option == inside6:
		return none("Linux's port for bare packets takes one family")
	case r.routes():
		return counted(overlay.DropSpoofedIP) // the endpoint has no address of that family
	case r.ebpf():
		return counted(overlay.DropFamily)
	case r.mode == overlay.TunnelSIT && r.over == v4:
		return sentAsIPIP
	}
	return inStatistic(txErrors)
}

// sentAsIPIP is what the kernel's sit device does with IPv4 (net/ipv6/sit.c, sit_tunnel_xmit).
var sentAsIPIP = silent("the kernel's sit device sends it as ipip, which the peer has no device for")

// cut is what TCP sends.
func (r row) cut() outcome {
	switch {
	case r.form != alone:
		return good // what is behind the endpoint's device cuts them
	case r.ebpf() && (r.hasNumbers() || r.hasChecksums()), r.plane == overlay.PlaneUser:
		return outcome{verdict: passes, note: "in packets of the tunnel's MTU: it is made packet by packet"}
	case r.kernel() && r.hasNumbers():
		return outcome{verdict: passes, note: "in packets of the tunnel's MTU: the kernel's device with sequence numbers cuts none"}
	}
	return good
}

// told is who sends more than fits.
func (r row) told() outcome {
	if r.form == inBridged && r.kernel() && r.mode == overlay.TunnelGRETAP {
		return outcome{verdict: fails, note: "a gretap device on a bridge drops IPv4 packets that are too large without a word; endpoints with the network's MTU send none"}
	}
	return good
}

func (r row) toGroup() outcome {
	if r.routes() {
		return r.noRoute()
	}
	return good
}

func (r row) toSubnet() outcome {
	switch {
	case !r.fits(v4):
		return none("there is no broadcast without IPv4")
	case r.routes():
		return r.noRoute()
	}
	return good
}

// noRoute is what becomes of what a routed network does not lead anywhere.
func (r row) noRoute() outcome {
	if r.ebpf() {
		return counted(overlay.DropNoRoute)
	}
	return silent("the kernel's routing, which does not tell one reason from another")
}

func (r row) withKey() outcome {
	switch {
	case !r.mode.HasVNI() && !r.mode.IsGRE():
		return none("its packets have none")
	case r.mode == overlay.TunnelVXLAN && r.form == alone:
		return silent("the kernel has the port, and no such VNI")
	case r.kernel() && r.mode != overlay.TunnelVXLAN, r.mode.IsGRE():
		return nobodys
	}
	return counted(overlay.DropUnknownVNI)
}

// nobodys is what becomes of a packet that nobody has a link for. Programs leave it to the kernel.
var nobodys = silent("the kernel, to whose devices it is left, has none for it, and counts it under no reason")

func (r row) fromStranger() outcome {
	vxlan := r.mode == overlay.TunnelVXLAN
	switch {
	case r.plane == overlay.PlaneUser:
		return counted(overlay.DropNotMember)
	case r.kernel() && r.form == alone && vxlan:
		return outcome{verdict: passes, note: "the kernel's vxlan device takes packets from anybody, and learns who it was"}
	case r.kernel() && !vxlan:
		return nobodys
	case !r.network() && r.mode == overlay.TunnelGeneve:
		return counted(overlay.DropUnknownVNI)
	case !r.mode.HasVNI() && (!r.network() || !r.hasKeys()):
		return nobodys
	}
	return counted(overlay.DropNotMember)
}

func (r row) withChecksum() outcome {
	switch {
	case r.hasChecksums() && r.ebpf():
		return counted(overlay.DropChecksum)
	case r.hasChecksums():
		return silent("the kernel refuses it where it reads the header, and counts it nowhere (net/ipv4/gre_demux.c, gre_parse_header)")
	case r.mode.DefaultPort() == 0:
		return none("its packets have none")
	}
	return inStatistic(udpChecksums)
}

func (r row) withNumber() outcome {
	switch {
	case !r.hasNumbers():
		return none("its packets have none")
	case r.ebpf():
		return counted(overlay.DropSequence)
	}
	return inStatistic(rxOrder)
}
