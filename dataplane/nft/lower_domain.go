package nft

import (
	"crypto/sha256"
	"encoding/base32"
	"net/netip"
	"strings"

	"weft/dataplane"
	"weft/overlay"
)

// Uplink is the device in a bridged domain that leads to the other nodes. What
// comes from there was checked by those nodes, and as a packet by the host.
const Uplink = "vx0"

// BoundUplink is that device where the tunnel's own is bound to one of the underlay's.
const BoundUplink = "up0"

// IsBound reports whether a network's uplink is BoundUplink.
func IsBound(n dataplane.Network) bool {
	return n.Kind == overlay.Bridged && n.UnderlayDevice != "" && n.Plane != overlay.PlaneEBPF
}

// uplinkPrefix begins the names of devices that lead to one node each.
const uplinkPrefix = "to-"

// HasUplinks reports whether a network has a device for each member: the kernel's own of
// all encapsulations but vxlan lead to one.
func HasUplinks(n dataplane.Network) bool {
	switch n.Encapsulation {
	case overlay.EncapGeneve, overlay.EncapGRE, overlay.EncapIPIP, overlay.EncapSIT:
		return n.Plane != overlay.PlaneEBPF && n.Plane != overlay.PlaneUser
	}
	return false
}

// UplinkTo is the device that leads to a node, where there is one for each: of at most 15
// characters, the same always, and no port's.
func UplinkTo(node overlay.NodeName) string {
	name := uplinkPrefix + string(node)
	if len(name) < 16 && !strings.Contains(name, ":") {
		return name
	}
	sum := sha256.Sum256([]byte(node))
	return uplinkPrefix + base32.StdEncoding.EncodeToString(sum[:])[:12] // upper case, which no node's name has
}

// Names in a domain's table. That of a counter is the reason that it counts.
const (
	sources4    = "sources4" // IPv4 addresses that a port may use
	sources6    = "sources6"
	stations    = "stations" // MACs that a port may use
	targets     = "targets"  // addresses that a port may advertise
	segments    = "segments" // ports behind which anybody may be
	guarded     = "guarded"  // MACs that are of nobody behind a segment
	storms      = "storms"   // what ports flood, by port
	portsChain  = "ports"
	judgeChain  = "judge"
	floodChain  = "flood"
	singleChain = "single"
)

// Domain is the filter in a network's domain: what its ports may send.
//
// A single port has one endpoint. Every claim that a frame makes about who sent
// it has to be that endpoint's: the source MAC, the sender in ARP (RFC 826), the
// source address, the target of a neighbour advertisement, which receivers put into
// their caches like a source (RFC 4861 section 7.2.5). The unspecified address is
// allowed as far as hosts need it that have none yet: DHCP, ARP probes (RFC 5227),
// duplicate address detection (RFC 4862). What stands behind one VLAN tag is looked at as if there was none,
// because receivers take the content of a priority tag for their own (IEEE 802.1Q
// 6.9.1); behind two it is not found, and the frame is dropped.
//
// Behind a segment port are stations of all kinds; they may not be the gateway or
// the endpoint of a single port here, whose traffic that would take over.
//
// What a port floods to other nodes passes storm control.
//
// A bridged network's rules are on its bridge, and know ports by their names: they
// are there before a port is and after it has gone. A device that none of the sets
// names may send nothing. A routed network's ports are no bridge's, and
// have a chain each.
//
// On the eBPF plane programs check all ports but the tunnels of a routed network, which are in
// its domain on each plane.
func Domain(n dataplane.Network) Ruleset {
	r := Ruleset{}
	switch {
	case n.Kind == overlay.Routed:
		routedDomain(r, n)
	case n.Plane != overlay.PlaneEBPF:
		bridgedDomain(r.table(Bridge), n)
	}
	return r
}

func bridgedDomain(t Table, n dataplane.Network) {
	singlePorts(t, notIn(stations, InputDevice, EtherSource))
	uplink := deviceBytes(Uplink)
	if IsBound(n) {
		uplink = deviceBytes(BoundUplink)
	}
	if HasUplinks(n) {
		uplink = uplinkPrefix
		stormControlOfMany(t, n)
	} else {
		stormControl(t, uplink)
	}
	t.Sets[segments] = newSet(InputDevice)
	t.Sets[guarded] = newSet(EtherSource)
	t.Sets[guarded].Elements[macBytes(n.GatewayMAC)] = ""
	t.Chains[portsChain] = Chain{Hook: Hook{Name: "prerouting", Priority: priority}, Rules: []Rule{
		{is(InputDevice, uplink), accept},
		{in(segments, InputDevice), in(guarded, EtherSource), Count{string(overlay.DropSpoofedMAC)}, drop},
		{in(segments, InputDevice), accept},
		{gotoChain(singleChain)},
	}}
	for _, p := range n.Ports {
		if p.Kind == overlay.PortSegment {
			t.Sets[segments].Elements[deviceBytes(p.Device)] = ""
			continue
		}
		t.Sets[guarded].Elements[macBytes(p.MAC)] = ""
		singlePort(t, p)
	}
}

// stormControl holds what a port floods to other nodes to its rate. The bridge hands each
// frame to the uplink's device once, which copies it for the members. What the network's own
// host says does not pass here.
func stormControl(t Table, uplink string) {
	t.Counters[string(overlay.DropStorm)] = struct{}{}
	t.Sets[storms] = newSet(InputDevice).ofRules()
	t.Chains[floodChain] = Chain{Hook: Hook{Name: "forward", Priority: priority}, Rules: []Rule{
		{is(PacketType, toOther), accept},
		{is(OutputDevice, uplink), over(dataplane.StormRate, dataplane.StormBurst, storms, InputDevice), Count{string(overlay.DropStorm)}, drop},
	}}
}

// stormControlOfMany is stormControl where a frame is handed to the device of each member. So it
// is judged when it comes in, and with it what goes no further for other reasons.
func stormControlOfMany(t Table, n dataplane.Network) {
	t.Counters[string(overlay.DropStorm)] = struct{}{}
	t.Sets[storms] = newSet(InputDevice).ofRules()
	if n.BUM == overlay.BUMNone {
		return
	}
	t.Chains[judgeChain] = Chain{Hook: Hook{Name: "prerouting", Priority: priority + 1}, Rules: []Rule{
		{is(PacketType, toOther), accept},
		{is(InputDevice, uplinkPrefix), accept},
		{over(dataplane.StormRate, dataplane.StormBurst, storms, InputDevice), Count{string(overlay.DropStorm)}, SetMark{ofStorm}},
	}}
	t.Chains[floodChain] = Chain{Hook: Hook{Name: "forward", Priority: priority}, Rules: []Rule{
		{is(OutputDevice, uplinkPrefix), is(Mark, ofStorm), drop},
	}}
}

func routedDomain(r Ruleset, n dataplane.Network) {
	for _, p := range n.Ports {
		chain := Chain{Hook: Hook{Name: "ingress", Priority: priority, Device: p.Device}}
		switch {
		case p.Tunnel != nil:
			chain.Rules = tunnelPort(r.table(Netdev), n, p)
		case n.Plane == overlay.PlaneEBPF:
			continue
		default:
			routedPort(r.table(Netdev), p)
			chain.Rules = []Rule{{gotoChain(singleChain)}}
		}
		r[Netdev].Chains["port/"+identifier(p.Device)] = chain
	}
}

func routedPort(t Table, p dataplane.Port) {
	if _, ok := t.Chains[singleChain]; !ok {
		singlePorts(t, is(InputType, typeEthernet), notIn(stations, InputDevice, EtherSource))
	}
	singlePort(t, p)
}

// singlePort adds what a port may use.
func singlePort(t Table, p dataplane.Port) {
	dev := deviceBytes(p.Device)
	t.Sets[stations].Elements[join(dev, macBytes(p.MAC))] = ""
	for _, a := range append([]netip.Addr{p.LinkLocalOf()}, p.Allowed...) {
		key := join(dev, addressBytes(a))
		if a.Is4() {
			t.Sets[sources4].Elements[key] = ""
			continue
		}
		t.Sets[sources6].Elements[key] = ""
		t.Sets[targets].Elements[key] = ""
	}
}

// singlePorts adds the rules for single ports, with empty sets. stranger matches
// frames from a MAC that is not the port's. The chains behind say what may pass,
// and end in a drop: a header that is cut off gets nowhere.
func singlePorts(t Table, stranger ...Statement) {
	t.Counters[string(overlay.DropSpoofedMAC)] = struct{}{}
	t.Counters[string(overlay.DropSpoofedIP)] = struct{}{}
	t.Sets[stations] = newSet(InputDevice, EtherSource)
	t.Sets[sources4] = newSet(InputDevice, IPSource)
	t.Sets[sources6] = newSet(InputDevice, IP6Source)
	// Not sources6, whose type nft(8) does not take for a field without one.
	t.Sets[targets] = newSet(InputDevice, NDTarget)

	forged := func(match ...Statement) Rule {
		return append(match, Count{string(overlay.DropSpoofedIP)}, drop)
	}
	t.Chains[singleChain] = Chain{Rules: []Rule{
		append(stranger, Count{string(overlay.DropSpoofedMAC)}, drop),
		{is(Protocol, protocolIP), gotoChain("single-ip")},
		{is(Protocol, protocolIPv6), gotoChain("single-ip6")},
		{is(Protocol, protocolARP), gotoChain("single-arp")},
		forged(is(Protocol, protocolVLAN)),
		forged(is(Protocol, protocolQinQ)),
	}}
	ip, ip6, arp := is(Protocol, protocolIP), is(Protocol, protocolIPv6), is(Protocol, protocolARP)
	t.Chains["single-ip"] = Chain{Rules: []Rule{
		{ip, in(sources4, InputDevice, IPSource), accept},
		{ip, is(IPSource, "\x00\x00\x00\x00"), is(TransportProtocol, transportUDP), is(UDPPorts, portsDHCP), accept},
		forged(),
	}}
	t.Chains["single-ip6"] = Chain{Rules: []Rule{
		forged(ip6, is(TransportProtocol, transportICMPv6), is(ICMPv6Type, neighborAdvertisement), notIn(targets, InputDevice, NDTarget)),
		{ip6, in(sources6, InputDevice, IP6Source), accept},
		{ip6, is(IP6Source, string(make([]byte, 16))), is(TransportProtocol, transportICMPv6), accept},
		forged(),
	}}
	t.Chains["single-arp"] = Chain{Rules: []Rule{
		forged(arp, notIn(stations, InputDevice, ARPSenderMAC)),
		{arp, in(sources4, InputDevice, ARPSenderIP), accept},
		{arp, is(ARPSenderIP, "\x00\x00\x00\x00"), accept},
		forged(),
	}}
}
