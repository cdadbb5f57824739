package kernel

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"weft/dataplane"
	"weft/dataplane/nft"
	"weft/internal/nlmsg"
	"weft/overlay"
)

// ProgramTraffic is what programs have counted of a network. Who is not in it is not
// counted.
type ProgramTraffic struct {
	Ports   map[overlay.EndpointName]overlay.Traffic
	Nodes   map[overlay.NodeName]overlay.Traffic
	Gateway overlay.Traffic
	// AllPorts and AllNodes are the sums, with those that are gone.
	AllPorts, AllNodes overlay.Traffic
	Dropped            map[overlay.DropReason]overlay.Count
}

// traffic is what is counted of a network: by its programs, or else by its links.
type traffic struct {
	net      dataplane.Network
	domain   NS
	programs *ProgramTraffic
	links    map[string]overlay.Traffic // in the domain
	carried  CarriedCount               // by the user plane
}

// traffic reads what is counted of a network; programs is nil if it has none.
func (h *hand) counted(n dataplane.Network, domain NS, programs Programs) (traffic, error) {
	t := traffic{net: n, domain: domain}
	if programs == nil || hasUserTunnel(n) {
		s, err := h.in(domain)
		if err == nil {
			t.links, err = s.traffic()
		}
		if err != nil || programs == nil {
			return t, err
		}
	}
	on, ok, err := h.programLinks(n, nil)
	if err != nil || !ok {
		return t, err
	}
	counted, err := programs.Traffic(n, on)
	t.programs = &counted
	return t, err
}

// hasUserTunnel reports whether the network has a tunnel whose packets no program sees.
func hasUserTunnel(n dataplane.Network) bool {
	for _, p := range n.Ports {
		if ofUser(p) {
			return true
		}
	}
	return false
}

func ofUser(p dataplane.Port) bool {
	return p.Tunnel != nil && p.Tunnel.Spec.Plane == overlay.PlaneUser
}

// tunnels adds to a view what its tunnels have carried.
func (t traffic) tunnels(v *dataplane.NetworkView) {
	v.Tunnels = map[overlay.TunnelName]*overlay.Traffic{}
	for name, p := range t.net.Ports {
		switch {
		case p.Tunnel == nil:
		case t.programs == nil || ofUser(p):
			v.Tunnels[p.Tunnel.Name] = trafficOf(t.links, p.Tunnel.Spec.Device)
		default:
			v.Tunnels[p.Tunnel.Name] = trafficOf(t.programs.Ports, name)
		}
	}
}

// sum adds the sums to a view. The kernel has none of ports, nor has the user plane: those of
// ports that are gone are gone, and so are those of members with a link of their own.
func (t traffic) sum(v *dataplane.NetworkView) {
	switch {
	case t.net.Plane == overlay.PlaneUser:
		v.Traffic.Nodes, v.Dropped = &t.carried.All, t.carried.Drops
		return
	case t.programs == nil && hasMemberLinks(t.net):
		var all overlay.Traffic
		for node := range t.net.Members {
			all = all.Plus(t.links[nft.UplinkTo(node)])
		}
		v.Traffic.Nodes = &all
		return
	case t.programs == nil:
		v.Traffic.Nodes = trafficOf(t.links, tunnelName)
		return
	}
	v.Traffic = overlay.NetworkTraffic{Ports: &t.programs.AllPorts, Nodes: &t.programs.AllNodes}
	v.Dropped = t.programs.Dropped
}

// parts adds to a view who it was: which node, the kernel counts if a link leads to each.
func (t traffic) parts(v *dataplane.NetworkView) {
	for i, l := range v.Links {
		v.Links[i].Traffic = t.link(l)
	}
	for name, m := range t.net.Members {
		p := dataplane.Peer{Node: name, VTEP: m.VTEP}
		switch {
		case t.programs != nil:
			p.Traffic = trafficOf(t.programs.Nodes, name)
		case t.net.Plane == overlay.PlaneUser:
			p.Traffic = trafficOf(t.carried.Peers, m.VTEP)
		case hasMemberLinks(t.net):
			p.Traffic = trafficOf(t.links, nft.UplinkTo(name))
		}
		v.Nodes = append(v.Nodes, p)
	}
	slices.SortFunc(v.Nodes, func(a, b dataplane.Peer) int { return cmp.Compare(a.Node, b.Node) })
}

// link is what is counted at a device: on one between the two ends of a port or a tunnel,
// nothing is.
func (t traffic) link(l dataplane.Link) *overlay.Traffic {
	if t.programs == nil {
		if l.Namespace != t.domain.label() || l.Port == "" && l.Tunnel == nil {
			return nil
		}
		return trafficOf(t.links, l.Device)
	}
	p := t.net.Ports[l.Port]
	switch {
	case ofUser(p) && l.Device == p.Tunnel.Spec.Device:
		return trafficOf(t.links, l.Device)
	case l.Port != "" && l.Device == programDevice(p) && (l.Namespace == Host.label() || l.Tunnel != nil):
		return trafficOf(t.programs.Ports, l.Port)
	case l.Namespace != Host.label():
		return nil
	case l.Device == gatewayLink(t.net.VNI).Name:
		return &t.programs.Gateway
	case l.Tunnel != nil:
		return &t.programs.AllNodes
	}
	return nil
}

func trafficOf[K comparable](all map[K]overlay.Traffic, k K) *overlay.Traffic {
	t, ok := all[k]
	if !ok {
		return nil
	}
	return &t
}

// traffic reads the statistics of a namespace's links, by their names: what has come in by
// them, and what has gone out.
func (s *space) traffic() (map[string]overlay.Traffic, error) {
	all := map[string]overlay.Traffic{}
	err := s.dump(unix.RTM_GETLINK, func(m []byte) {
		if len(m) < unix.SizeofIfInfomsg {
			return
		}
		name, t := "", overlay.Traffic{}
		nlmsg.Attributes(m[unix.SizeofIfInfomsg:], func(kind uint16, v []byte) {
			switch kind {
			case unix.IFLA_IFNAME:
				name = nlmsg.Text(v)
			case unix.IFLA_STATS64:
				t = parseStatistics(v)
			}
		})
		all[name] = t
	}, nl.NewIfInfomsg(unix.AF_UNSPEC))
	return all, err
}

// parseStatistics reads the beginning of struct rtnl_link_stats64 (linux/if_link.h): packets
// received and sent, then their bytes.
func parseStatistics(b []byte) overlay.Traffic {
	if len(b) < 4*8 {
		return overlay.Traffic{}
	}
	at := func(i int) uint64 { return binary.NativeEndian.Uint64(b[8*i:]) }
	return overlay.Traffic{
		From: overlay.Count{Packets: at(0), Bytes: at(2)},
		To:   overlay.Count{Packets: at(1), Bytes: at(3)},
	}
}
