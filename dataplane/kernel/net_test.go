package kernel

import (
	"fmt"
	"net/netip"

	"weft/dataplane"
	"weft/overlay"
)

// testNet is a network that has one endpoint on each host of a bed.
type testNet struct {
	bed       *bed
	spec      dataplane.Settings
	workloads []string // a namespace on each host
}

// endpoint is the endpoint on host i: e0, e1, …
func (n testNet) endpoint(i int) dataplane.Port {
	p := dataplane.Port{
		Name: overlay.EndpointName(fmt.Sprintf("e%d", i)), Kind: overlay.PortSingle,
		MAC:    overlay.MAC{0x02, 0, 0, 0, 0, byte(0x10 + i)},
		Attach: overlay.Attach{Type: overlay.AttachNetns, Target: n.workloads[i]},
		Device: fmt.Sprintf("we%d", i),
	}
	for _, g := range n.spec.Gateways {
		b := g.Masked().Addr().AsSlice()
		if n.spec.Kind == overlay.Routed {
			b[len(b)-2] = byte(i + 1)
		}
		b[len(b)-1] = byte(0x10 + i)
		a, _ := netip.AddrFromSlice(b)
		p.Addresses = append(p.Addresses, a)
	}
	p.Addresses = append(p.Addresses, p.MAC.LinkLocal())
	p.Allowed = p.Addresses
	return p
}

// blocks are host i's shares of a routed network.
func (n testNet) blocks(i int) []netip.Prefix {
	var blocks []netip.Prefix
	for _, a := range n.endpoint(i).Addresses {
		if !a.IsLinkLocalUnicast() {
			p, _ := a.Prefix(a.BitLen() - 8)
			blocks = append(blocks, p)
		}
	}
	return blocks
}

// state is what host i should forward.
func (n testNet) state(i int) dataplane.State {
	f := overlay.V4
	if n.spec.Local.Is6() {
		f = overlay.V6
	}
	net := dataplane.Network{
		Settings: n.spec, Ports: map[overlay.EndpointName]dataplane.Port{},
		Remotes: map[overlay.MAC]overlay.NodeName{}, Neighbors: map[netip.Addr]overlay.MAC{},
		Members: map[overlay.NodeName]dataplane.Member{}, Routes: map[netip.Prefix]dataplane.Route{},
	}
	net.Local = n.bed.hosts[i].underlay(f)
	net.VTEPMAC = overlay.VTEPMACFor(n.bed.hosts[i].name)
	for j, h := range n.bed.hosts {
		e := n.endpoint(j)
		if n.spec.Kind == overlay.Bridged {
			for _, a := range e.Addresses {
				net.Neighbors[a] = e.MAC
			}
		}
		if j == i {
			net.Ports[e.Name] = e
			net.Blocks = n.blocks(i)
			continue
		}
		net.Members[h.name] = dataplane.Member{VTEP: h.underlay(f), VTEPMAC: overlay.VTEPMACFor(h.name)}
		if n.spec.Kind == overlay.Bridged {
			net.Remotes[e.MAC] = h.name
			continue
		}
		for _, b := range n.blocks(j) {
			net.Routes[b] = dataplane.Route{Node: h.name}
		}
	}
	return dataplane.State{
		Node: n.bed.hosts[i].name, Generation: 1,
		Networks: map[overlay.NetworkName]dataplane.Network{n.spec.Name: net},
	}
}

// settings are those of a network with both families.
func settings(kind overlay.NetworkKind, underlay overlay.Family) dataplane.Settings {
	s := dataplane.Settings{
		Name: "blue", VNI: 4097, Kind: kind, Encapsulation: overlay.EncapVXLAN, Port: overlay.DefaultVXLANPort,
		MTU: bedMTU - 50, UnderlayMTU: bedMTU, BUM: overlay.BUMReplicate, Plane: overlay.PlaneKernel,
		Gateways: []netip.Prefix{netip.MustParsePrefix("10.7.0.1/16"), netip.MustParsePrefix("fd07::1/64")},
		Local:    netip.IPv4Unspecified(),
	}
	if underlay == overlay.V6 {
		s.MTU = bedMTU - 70
		s.Local = netip.IPv6Unspecified()
	}
	s.GatewayMAC = s.VNI.GatewayMAC()
	return s
}

func mustAddr(b []byte) netip.Addr {
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		panic("no address")
	}
	return a
}
