package kernel

import (
	"fmt"
	"maps"
	"strings"

	"weft/overlay"
)

// model is a host in memory, with the kernel's rules as far as ops depend on them. It is
// written from the commands' side and shares nothing with Diff but the types.
type model struct{ Objects }

func newModel(o Objects) model {
	return model{Objects{
		Namespaces: maps.Clone(o.Namespaces), Links: maps.Clone(o.Links), Sysctls: maps.Clone(o.Sysctls),
		Addresses: maps.Clone(o.Addresses), Tunnels: maps.Clone(o.Tunnels), Stations: maps.Clone(o.Stations), Published: maps.Clone(o.Published),
		Neighbors: maps.Clone(o.Neighbors), Routes: maps.Clone(o.Routes), Redirects: maps.Clone(o.Redirects), Answers: maps.Clone(o.Answers),
		Filters: maps.Clone(o.Filters),
	}}
}

// do is what the kernel would do.
func (m model) do(op Op) error {
	switch o := op.(type) {
	case addNamespace:
		m.Namespaces[o.NS] = struct{}{}
		m.Links[LinkID{o.NS, "lo"}] = Link{Kind: KindLoopback}
	case deleteNamespace:
		for id := range m.Links {
			if id.NS == o.NS && id.Name != "lo" {
				return fmt.Errorf("link %v is left", id)
			}
		}
		delete(m.Namespaces, o.NS)
		delete(m.Filters, o.NS)
		delete(m.Links, LinkID{o.NS, "lo"})
		maps.DeleteFunc(m.Sysctls, func(id SysctlID, _ string) bool { return id.NS == o.NS })
		maps.DeleteFunc(m.Routes, func(k RouteKey, _ Route) bool { return k.NS == o.NS })
	case setFilters:
		m.Filters[o.NS] = o.Want
	case setSysctl:
		if device, ok := strings.CutPrefix(o.ID.Name, "net/ipv6/conf/"); ok && strings.HasSuffix(device, "/disable_ipv6") {
			id := LinkID{o.ID.NS, strings.TrimSuffix(device, "/disable_ipv6")}
			l := m.Links[id]
			l.NoIPv6 = o.Value == "1"
			m.Links[id] = l
			return m.exists(id)
		}
		m.Sysctls[o.ID] = o.Value
	case addLink:
		return m.addLink(o)
	case deleteLink:
		if err := m.exists(o.ID); err != nil {
			return err
		}
		peer := m.Links[o.ID].Peer
		m.unlink(o.ID)
		m.unlink(peer)
	case setLink, setBridgePort, setUp, resetBridge, resetBridgePort, changeTunnel:
		return m.setLink(op)
	default:
		return m.entry(op)
	}
	return nil
}

func (m model) exists(id LinkID) error {
	if _, ok := m.Links[id]; !ok {
		return fmt.Errorf("there is no link %v", id)
	}
	return nil
}

func (m model) addLink(o addLink) error {
	for _, id := range []LinkID{o.ID, o.Link.Peer} {
		if _, ok := m.Links[id]; ok {
			return fmt.Errorf("link %v exists", id)
		}
		if _, ok := m.Namespaces[id.NS]; !ok && strings.Contains(string(id.NS), "weft-") {
			return fmt.Errorf("there is no namespace %s", id.NS)
		}
	}
	made := Link{Kind: o.Link.Kind, MAC: o.Link.MAC, MTU: o.Link.MTU, Outer: o.Link.Outer, Inside: o.Link.Inside, Peer: o.Link.Peer, Bridge: o.Link.Bridge}
	if o.Link.isTunTap() {
		made.MTU = 1500
	}
	m.Links[o.ID] = made
	if o.Link.Kind == KindVeth {
		m.Links[o.Link.Peer] = Link{Kind: KindVeth, MAC: o.Peer.MAC, MTU: o.Peer.MTU, Peer: o.ID, Lent: o.Peer.Lent}
	}
	return nil
}

// unlink removes a link and what is on it.
func (m model) unlink(id LinkID) {
	delete(m.Links, id)
	delete(m.Redirects, id)
	delete(m.Answers, id)
	for other, l := range m.Links {
		if other.NS == id.NS && l.Master == id.Name {
			l.Master, l.Port = "", BridgePort{}
			m.Links[other] = l
		}
	}
	maps.DeleteFunc(m.Addresses, func(a Address, _ struct{}) bool { return a.Link == id })
	maps.DeleteFunc(m.Neighbors, func(k NeighborKey, _ overlay.MAC) bool { return k.Link == id })
}

func (m model) setLink(op Op) error {
	var id LinkID
	switch o := op.(type) {
	case setLink:
		id = o.ID
	case setBridgePort:
		id = o.ID
	case setUp:
		id = o.ID
	case resetBridge:
		id = o.ID
	case resetBridgePort:
		id = o.ID
	case changeTunnel:
		id = o.ID
	}
	if err := m.exists(id); err != nil {
		return err
	}
	l := m.Links[id]
	switch o := op.(type) {
	case setLink:
		l.Alias, l.NoLinkLocal = o.Want.Alias, o.Want.NoLinkLocal
		if !o.Want.MAC.IsZero() {
			l.MAC = o.Want.MAC
		}
		if o.Want.MTU != 0 {
			l.MTU = o.Want.MTU
		}
		if o.Want.Master != l.Master {
			l.Port = BridgePort{}
		}
		if o.Want.Master == bridgeName {
			if err := m.exists(LinkID{id.NS, bridgeName}); err != nil {
				return err
			}
		}
		l.Master = o.Want.Master
	case setBridgePort:
		if l.Master == "" {
			return fmt.Errorf("%v is no port", id)
		}
		odd := l.Port.Odd
		l.Port = o.Flags
		l.Port.Odd = odd
	case setUp:
		l.Up = o.Up
	case resetBridge:
		l.Bridge = BridgeMode{Ageing: o.Want.Ageing}
	case resetBridgePort:
		l.Port.Odd = false
	case changeTunnel:
		l.Outer = o.Want.Outer
		if o.Want.MTU != 0 {
			l.MTU = o.Want.MTU
		}
	}
	m.Links[id] = l
	return nil
}
