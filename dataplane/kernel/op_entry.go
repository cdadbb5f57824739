package kernel

import (
	"net/netip"
	"strconv"

	"weft/overlay"
)

type addAddress struct{ Address }

func (o addAddress) String() string {
	words := []string{"address", "add", o.Prefix.String(), "dev", o.Link.Name}
	switch a := o.Prefix.Addr(); {
	case a.Is6():
		words = append(words, "nodad")
	case a.IsLinkLocalUnicast():
		words = append(words, "scope", "link") // which of IPv4 neither ip nor the kernel sees
	}
	return o.Link.NS.command("ip", words...)
}

type deleteAddress struct{ Address }

func (o deleteAddress) String() string {
	return o.Link.NS.command("ip", "address", "delete", o.Prefix.String(), "dev", o.Link.Name)
}

// setTunnel adds an entry to the FDB of a vxlan link, or replaces it.
type setTunnel struct {
	TunnelKey
	VTEP netip.Addr
}

func (o setTunnel) String() string {
	verb := "replace"
	if o.MAC.IsZero() {
		verb = "append" // one of several: replacing would leave one only
	}
	return o.Link.NS.command("bridge", "fdb", verb, o.MAC.String(), "dev", o.Link.Name,
		"dst", o.VTEP.String(), "self", "permanent")
}

type deleteTunnel struct {
	TunnelKey
	VTEP netip.Addr
}

func (o deleteTunnel) String() string {
	return o.Link.NS.command("bridge", "fdb", "delete", o.MAC.String(), "dev", o.Link.Name,
		"dst", o.VTEP.String(), "self")
}

// setStation adds an entry to the FDB of a bridge, or moves it to another port.
// It is sticky: a frame with this source MAC on another port moves nothing.
type setStation struct {
	StationKey
	Station
}

func (o setStation) String() string {
	return o.Bridge.NS.command("bridge", "fdb", "replace", o.MAC.String(), "dev", o.Port,
		"master", "static", "sticky")
}

type deleteStation struct {
	StationKey
	Station
}

func (o deleteStation) String() string {
	return o.Bridge.NS.command("bridge", "fdb", "delete", o.MAC.String(), "dev", o.Port, "master")
}

type setNeighbor struct {
	NeighborKey
	MAC overlay.MAC
}

func (o setNeighbor) String() string {
	return o.Link.NS.command("ip", "neigh", "replace", o.Address.String(), "lladdr", o.MAC.String(),
		"dev", o.Link.Name, "nud", "permanent")
}

type deleteNeighbor struct{ NeighborKey }

func (o deleteNeighbor) String() string {
	return o.Link.NS.command("ip", "neigh", "delete", o.Address.String(), "dev", o.Link.Name)
}

type addRoute struct {
	RouteKey
	Route
}

func (o addRoute) String() string { return o.command("add", o.Route) }

// changeRoute replaces a route that is there by another with the same key.
type changeRoute struct {
	RouteKey
	Route
}

func (o changeRoute) String() string { return o.command("change", o.Route) }

type deleteRoute struct {
	RouteKey
	Route
}

func (o deleteRoute) String() string { return o.command("delete", o.Route) }

func (k RouteKey) command(verb string, r Route) string {
	words := []string{"route", verb}
	if r.Unreachable {
		words = append(words, "unreachable")
	}
	words = append(words, k.Prefix.String())
	if r.Via.IsValid() {
		words = append(words, "via", r.Via.String())
	}
	if r.Device != "" {
		words = append(words, "dev", r.Device)
	}
	if r.OnLink {
		words = append(words, "onlink")
	}
	if r.MTU != 0 {
		words = append(words, "mtu", strconv.Itoa(r.MTU))
	}
	words = append(words, "proto", protocolName(r.Protocol))
	if k.Metric != 0 {
		words = append(words, "metric", strconv.Itoa(k.Metric))
	}
	return k.NS.command("ip", words...)
}

func protocolName(p int) string {
	if p == Static {
		return "static"
	}
	return strconv.Itoa(p)
}

// addRedirect makes everything that a link receives leave by another link,
// before any bridge, route or firewall of the host sees it.
type addRedirect struct {
	From LinkID
	To   string
}

func (o addRedirect) String() string {
	return o.From.NS.command("tc", "qdisc", "replace", "dev", o.From.Name, "clsact") + " && " +
		o.From.NS.command("tc", "filter", "replace", "dev", o.From.Name, "ingress", "handle", redirectHandle,
			"protocol", "all", "prio", "1", "u32", "match", "u32", "0", "0",
			"action", "mirred", "egress", "redirect", "dev", o.To)
}

// redirectHandle is the only filter of the link's first u32 table.
const redirectHandle = "800::1"

type deleteRedirect struct {
	From LinkID
	To   string
}

func (o deleteRedirect) String() string {
	return o.From.NS.command("tc", "qdisc", "delete", "dev", o.From.Name, "clsact")
}
