package dataplanetest

import (
	"fmt"
	"net/netip"

	"weft/dataplane"
	"weft/overlay"
	"weft/packet"
)

// world is the setting of the cases: two networks of one kind, blue and red, with
// the same subnet, over one family of underlay.
//
//	here       alice, bob on blue; mallory, who has alice's MAC and address, on red
//	node b     carol on blue
//	node c     dave on blue, erin on red with carol's MAC and address
//	node d     a stranger to both
//	node e     erin on red, where packets do not say what network they belong to
type world struct {
	kind          overlay.NetworkKind
	overlay       overlay.Family
	under         overlay.Family
	encapsulation overlay.Encapsulation
}

// worlds are those of an encapsulation: every kind and family that it carries.
func worlds(e overlay.Encapsulation) []world {
	var all []world
	families := []overlay.Family{overlay.V4, overlay.V6}
	for _, kind := range []overlay.NetworkKind{overlay.Bridged, overlay.Routed} {
		for _, inner := range families {
			for _, outer := range families {
				if e.CarriesKind(kind) && e.CarriesFamily(inner) {
					all = append(all, world{kind, inner, outer, e})
				}
			}
		}
	}
	return all
}

// fewWorlds are one of each kind that an encapsulation carries; of those of both kinds,
// each family once inside and once outside.
func fewWorlds(e overlay.Encapsulation) []world {
	var few []world
	for _, w := range worlds(e) {
		switch {
		case w.overlay == w.under:
		case !e.HasVNI(), w.kind == overlay.Bridged && w.overlay == overlay.V4, w.kind == overlay.Routed && w.overlay == overlay.V6:
			few = append(few, w)
		}
	}
	return few
}

// name is "bridged/v4-in-v6".
func (w world) name() string { return fmt.Sprintf("%s/%s-in-%s", w.kind, w.overlay, w.under) }

// The networks and the nodes.
const (
	blue overlay.NetworkName = "blue"
	red  overlay.NetworkName = "red"

	here  overlay.NodeName = "here"
	nodeB overlay.NodeName = "b"
	nodeC overlay.NodeName = "c"
	nodeD overlay.NodeName = "d"
	nodeE overlay.NodeName = "e"

	blueVNI overlay.VNI = 0xb10e
	redVNI  overlay.VNI = 0xfedcba // every bit of the field counts
)

// host is an endpoint, wherever it is.
type host struct {
	network overlay.NetworkName
	name    overlay.EndpointName
	node    overlay.NodeName
	mac     overlay.MAC
	ip      netip.Addr
}

func (h host) place() Place { return Place{h.network, h.name} }

func (w world) alice() host   { return w.host(blue, "alice", here, 1, 2) }
func (w world) bob() host     { return w.host(blue, "bob", here, 1, 3) }
func (w world) carol() host   { return w.host(blue, "carol", nodeB, 2, 2) }
func (w world) dave() host    { return w.host(blue, "dave", nodeC, 3, 2) }
func (w world) mallory() host { return w.host(red, "mallory", here, 1, 2) }

func (w world) erin() host {
	if !w.encapsulation.HasVNI() {
		return w.host(red, "erin", nodeE, 2, 2)
	}
	return w.host(red, "erin", nodeC, 2, 2)
}

// nobody is an address of the subnet, in this node's share, that nobody has.
func (w world) nobody() host { return w.host(blue, "nobody", here, 1, 99) }

// gatewayHost is the gateway as a station.
func (w world) gatewayHost() host {
	h := w.host(blue, "gateway", here, 0, 1)
	h.mac = blueVNI.GatewayMAC()
	return h
}

// host numbers hosts by share of the subnet and position in that.
func (w world) host(n overlay.NetworkName, name overlay.EndpointName, node overlay.NodeName, share, pos byte) host {
	return host{n, name, node, overlay.MAC{0x02, 0, 0, 0, share, pos}, inSubnet(w.overlay, share, pos)}
}

func inSubnet(f overlay.Family, share, pos byte) netip.Addr {
	if f == overlay.V4 {
		return netip.AddrFrom4([4]byte{10, 7, share, pos})
	}
	return netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x07, 7: share, 15: pos})
}

// shareOf is the block of a routed network that has these addresses.
func shareOf(f overlay.Family, share byte) netip.Prefix {
	bits := 24
	if f == overlay.V6 {
		bits = 64
	}
	return netip.PrefixFrom(inSubnet(f, share, 0), bits)
}

func subnetBits(f overlay.Family) int {
	if f == overlay.V4 {
		return 16
	}
	return 48
}

// withLinkLocal is the host at its link-local address.
func (h host) withLinkLocal() host {
	h.ip = h.mac.LinkLocal()
	return h
}

// vtep is a node's VTEP address.
func (w world) vtep(n overlay.NodeName) netip.Addr { return vtepOf(w.under, n) }

func vtepOf(f overlay.Family, n overlay.NodeName) netip.Addr {
	if n == here {
		return underlay(f, 1)
	}
	return underlay(f, 2+n[0]-'b')
}

func (w world) base() dataplane.State {
	return dataplane.State{
		Node: here,
		Networks: map[overlay.NetworkName]dataplane.Network{
			blue: w.network(blue, blueVNI, w.alice(), w.bob(), w.carol(), w.dave()),
			red:  w.network(red, redVNI, w.mallory(), w.erin()),
		},
	}
}

func (w world) network(name overlay.NetworkName, vni overlay.VNI, hosts ...host) dataplane.Network {
	n := dataplane.Network{
		Settings: w.settings(name, vni),
		Ports:    map[overlay.EndpointName]dataplane.Port{},
		Members:  map[overlay.NodeName]dataplane.Member{},
	}
	for _, h := range hosts {
		addHost(&n, w.under, h)
	}
	return n
}

func (w world) settings(name overlay.NetworkName, vni overlay.VNI) dataplane.Settings {
	s := dataplane.Settings{
		Name: name, VNI: vni, Kind: w.kind, Encapsulation: w.encapsulation,
		Port: w.encapsulation.DefaultPort(), Plane: overlay.PlaneAuto, Local: w.vtep(here),
		MTU: UnderlayMTU - w.overhead(), UnderlayMTU: UnderlayMTU, BUM: overlay.BUMReplicate,
		Gateways:   []netip.Prefix{netip.PrefixFrom(inSubnet(w.overlay, 0, 1), subnetBits(w.overlay))},
		GatewayMAC: vni.GatewayMAC(),
	}
	if w.kind == overlay.Routed {
		s.VTEPMAC = overlay.VTEPMACFor(here)
		s.Blocks = []netip.Prefix{shareOf(w.overlay, 1)}
	}
	return s
}

// overhead is what the underlay takes from packets, in bytes.
func (w world) overhead() int {
	overhead := map[overlay.Encapsulation]int{
		overlay.EncapVXLAN: 36, overlay.EncapGeneve: 36, overlay.EncapGRE: 28, overlay.EncapIPIP: 20, overlay.EncapSIT: 20, overlay.EncapUDP: 28,
	}[w.encapsulation]
	if w.frames() {
		overhead += packet.EthernetLen
	}
	if w.under == overlay.V6 {
		overhead += 20
	}
	return overhead
}

// frames reports whether there are Ethernet frames in the tunnel packets.
func (w world) frames() bool {
	switch w.encapsulation {
	case overlay.EncapVXLAN, overlay.EncapGeneve:
		return true
	case overlay.EncapGRE:
		return w.kind == overlay.Bridged
	}
	return false
}

// addHost adds a host to a network in each collection that it belongs to.
func addHost(n *dataplane.Network, under overlay.Family, h host) {
	ips := []netip.Addr{h.ip, h.mac.LinkLocal()}
	if n.Kind == overlay.Bridged {
		for _, ip := range ips {
			set(&n.Neighbors, ip, h.mac)
		}
	}
	if h.node == here {
		n.Ports[h.name] = dataplane.Port{
			Name: h.name, Kind: overlay.PortSingle, MAC: h.mac, Addresses: ips, Allowed: ips,
			Device: "p-" + string(h.name),
		}
		return
	}
	m := dataplane.Member{VTEP: vtepOf(under, h.node)}
	if n.Kind == overlay.Routed {
		m.VTEPMAC = overlay.VTEPMACFor(h.node)
		f := overlay.FamilyOf(h.ip)
		set(&n.Routes, shareOf(f, h.mac[4]), dataplane.Route{Node: h.node})
	} else {
		set(&n.Remotes, h.mac, h.node)
	}
	n.Members[h.node] = m
}

func set[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}

// sent are the ends of a packet as its sender writes them.
func (w world) sent(from, to host) packet.Ends {
	e := packet.Ends{SrcMAC: from.mac, DstMAC: to.mac, Src: from.ip, Dst: to.ip}
	if w.kind == overlay.Routed {
		e.DstMAC = vniOf(from.network).GatewayMAC()
	}
	return e
}

// tunnelled are the ends of the packet inside, between the senders's node and
// the receiver's: in a routed network, behind one router.
func (w world) tunnelled(from, to host) packet.Ends {
	e := w.sent(from, to)
	if w.kind == overlay.Routed {
		e.SrcMAC, e.DstMAC = overlay.VTEPMACFor(from.node), overlay.VTEPMACFor(to.node)
		e.TTL = 63
	}
	return e
}

// received are the ends of a packet as its receiver sees them.
func (w world) received(from, to host) packet.Ends {
	e := w.sent(from, to)
	if w.kind == overlay.Routed {
		e.SrcMAC, e.DstMAC = e.DstMAC, to.mac
		e.TTL = 63
		if from.node != to.node {
			e.TTL = 62
		}
	}
	return e
}

func vniOf(n overlay.NetworkName) overlay.VNI {
	if n == red {
		return redVNI
	}
	return blueVNI
}
