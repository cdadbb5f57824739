package ebpf

import (
	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/overlay"
)

// The numbers of bpf/ends.h.
const (
	endDF = 1 << iota
	endTTLInherit
	endTOSFixed
	endOutKey
	endInChecksum
	endOutChecksum
	endInSequence
	endOutSequence
	endUDPChecksum
	endUnderlay
)

const (
	contentFrames = iota
	contentIP
	contentV4
	contentV6
)

// ownerEnd is what the number of an end's owner has, and no VNI.
const ownerEnd = 1 << 31

// endOwner is whose the entries of an end are.
func endOwner(index uint32) uint32 { return ownerEnd | index }

// blamed is whose packets an end drops: its network's, or its own.
func blamed(on kernel.TunnelLinks) uint32 {
	if on.Network != 0 {
		return uint32(on.Network)
	}
	return endOwner(on.End)
}

func isEnd(owner uint32) bool { return owner&ownerEnd != 0 }

func indexOf(owner uint32) uint32 { return owner &^ ownerEnd }

// ecn is the part of TOS that is not the tunnel's to say (RFC 6040).
const ecn = 3

// LowerTunnel turns a tunnel into the entries that make the programs forward so. As long as
// nobody knows where the peer is, nothing arrives, and nothing departs.
func LowerTunnel(t dataplane.Tunnel, on kernel.TunnelLinks, counters Counters) Tables {
	tables := newTables()
	e := endOf(t, on, counters)
	tables.ends[on.End] = e
	if on.Idle != 0 {
		tables.ports[on.Idle] = programsPort{Vni: endOwner(on.End), Flags: portTunnel}
	}
	if !known(t) {
		return tables
	}
	tables.arrivals[arrivalOf(t, e)] = on.End
	for _, k := range comingIn(e) {
		tables.tunnels[k] = e.As.Encapsulation
	}
	return tables
}

// known reports whether the tunnel has both its ends.
func known(t dataplane.Tunnel) bool { return t.Local.IsValid() && t.Remote.IsValid() }

// endOf is the entry by which the program finds the peer.
func endOf(t dataplane.Tunnel, on kernel.TunnelLinks, counters Counters) programsEnd {
	s := t.Spec
	e := programsEnd{
		Content: contentOf(s.Mode), Device: on.Device, Counter: uint32(counters[portOwner(on.End)]), Owner: blamed(on),
		FirstPort: firstSourcePort, LastPort: lastSourcePort, Ttl: outerTTL, Flags: endFlags(t, on),
	}
	e.As = programsNetwork{
		Encapsulation: tunnelEncapsulation(s.Mode), Gateway: on.End, Underlay: on.Out,
		Mtu: uint32(t.MTU), UdpPort: networkOrder(s.Port),
	}
	e.As.VtepMac.Byte = on.MAC
	if known(t) {
		e.As.Local.Word, e.Remote.Word = wordsOf(t.Local), wordsOf(t.Remote)
	}
	if !s.Mode.Ethernet() {
		e.As.Flags |= networkRouted
	}
	if on.Idle == 0 && s.Mode.HasVNI() {
		e.As.Flags |= networkNoTunnel
	}
	if s.SourcePorts != nil {
		e.FirstPort, e.LastPort = s.SourcePorts.Low, s.SourcePorts.High
	}
	if s.TTL.Hops != 0 {
		e.Ttl = s.TTL.Hops
	}
	e.Tos = s.TOS.Value &^ ecn
	switch {
	case s.Mode.HasVNI():
		e.OutKey = uint32(s.VNI)
	case s.OutKey != nil:
		e.OutKey = uint32(*s.OutKey)
	}
	return e
}

func endFlags(t dataplane.Tunnel, on kernel.TunnelLinks) (flags uint32) {
	s := t.Spec
	for _, f := range []struct {
		on   bool
		flag uint32
	}{
		{!s.NoPMTUDiscovery, endDF},
		{s.TTL.Inherit, endTTLInherit},
		{s.TOS.Fixed, endTOSFixed},
		{s.OutKey != nil, endOutKey},
		{s.InChecksum, endInChecksum},
		{s.OutChecksum, endOutChecksum},
		{s.InSequence, endInSequence},
		{s.OutSequence, endOutSequence},
		{s.UDPChecksum != nil && *s.UDPChecksum, endUDPChecksum},
		{on.Out != 0, endUnderlay},
	} {
		if f.on {
			flags |= f.flag
		}
	}
	return flags
}

// arrivalOf is what the peer's packets have, and no others.
func arrivalOf(t dataplane.Tunnel, e programsEnd) programsArrivalKey {
	k := programsArrivalKey{
		UdpPort: e.As.UdpPort, Encapsulation: uint8(e.As.Encapsulation), Content: uint8(e.Content),
	}
	k.Local.Word, k.Remote.Word = e.As.Local.Word, e.Remote.Word
	switch {
	case t.Spec.Mode.HasVNI():
		k.Key = uint32(t.Spec.VNI)
	case t.Spec.InKey != nil:
		k.Key, k.Keyed = uint32(*t.Spec.InKey), 1
	}
	return k
}

func contentOf(m overlay.TunnelMode) uint32 {
	switch {
	case m.Ethernet():
		return contentFrames
	case m == overlay.TunnelIPIP:
		return contentV4
	case m == overlay.TunnelSIT:
		return contentV6
	}
	return contentIP
}

func tunnelEncapsulation(m overlay.TunnelMode) uint32 {
	switch m {
	case overlay.TunnelVXLAN:
		return encapVXLAN
	case overlay.TunnelGeneve:
		return encapGeneve
	case overlay.TunnelGRE, overlay.TunnelGRETAP:
		return encapGRE
	case overlay.TunnelIPIP, overlay.TunnelSIT:
		return encapIP
	}
	return encapNone
}

// comingIn is where an end's packets come in.
func comingIn(e programsEnd) (keys []programsTunnelKey) {
	for _, k := range tunnelsOf(e.As) {
		other := k.Protocol == protocolIPIP && e.Content == contentV6 || k.Protocol == protocolIPv6 && e.Content == contentV4
		if !other {
			keys = append(keys, k)
		}
	}
	return keys
}

// arriving is where packets of the owner of the tables come in.
func (t Tables) arriving(owner uint32) map[programsTunnelKey]struct{} {
	keys := map[programsTunnelKey]struct{}{}
	for _, k := range tunnelsOf(t.networks[owner]) {
		keys[k] = struct{}{}
	}
	for _, e := range t.ends {
		for _, k := range comingIn(e) {
			keys[k] = struct{}{}
		}
	}
	return keys
}
