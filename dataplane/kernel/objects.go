package kernel

import (
	"bytes"
	"cmp"
	"net/netip"
	"path"
	"strings"

	"weft/dataplane/nft"
	"weft/overlay"
)

// NS is a network namespace: the path at which it is mounted, or Host.
type NS string

// Host is the namespace that the daemon runs in.
const Host NS = ""

// Objects are what the plane wants in the kernel, or what it found there. Each
// collection is keyed by what the kernel knows the object by.
type Objects struct {
	// Namespaces are Weft's own, one per network.
	Namespaces map[NS]struct{}
	Links      map[LinkID]Link
	Sysctls    map[SysctlID]string
	Addresses  map[Address]struct{}
	// Tunnels is the FDB of the vxlan devices: which VTEP has the MAC.
	Tunnels map[TunnelKey]netip.Addr
	// Stations is the FDB of the bridges: which port has the MAC.
	Stations map[StationKey]Station
	// Published are stations that a port brings into the FDB of a bridge when it joins
	// it; they come and go from then on, so they are wanted and never looked for.
	Published map[StationKey]string
	Neighbors map[NeighborKey]overlay.MAC
	Routes    map[RouteKey]Route
	// Redirects send all that a link receives out of another one.
	Redirects map[LinkID]string
	// Answers are what becomes of packets that are too large for a link.
	Answers map[LinkID]Answer
	// Filters are the nft rules of a namespace.
	Filters map[NS]nft.Ruleset
	// Programs forward for a network; the value is in what those that were found differ
	// from what it needs.
	Programs map[overlay.NetworkName]string
	// Forwarded are tunnels that programs forward for, by their near ends; the value is as that
	// of Programs.
	Forwarded map[LinkID]string
	// Unaided are links that have the host make every packet by itself, whole and with its
	// checksums, without offloads.
	Unaided map[LinkID]struct{}
	// Carried is what the user plane's forwarder does with TUN links.
	Carried map[LinkID]Carried
}

// NewObjects returns Objects that can be added to.
func NewObjects() Objects {
	return Objects{
		Namespaces: map[NS]struct{}{},
		Links:      map[LinkID]Link{},
		Sysctls:    map[SysctlID]string{},
		Addresses:  map[Address]struct{}{},
		Tunnels:    map[TunnelKey]netip.Addr{},
		Stations:   map[StationKey]Station{},
		Published:  map[StationKey]string{},
		Neighbors:  map[NeighborKey]overlay.MAC{},
		Routes:     map[RouteKey]Route{},
		Redirects:  map[LinkID]string{},
		Answers:    map[LinkID]Answer{},
		Filters:    map[NS]nft.Ruleset{},
		Programs:   map[overlay.NetworkName]string{},
		Forwarded:  map[LinkID]string{},
		Unaided:    map[LinkID]struct{}{},
		Carried:    map[LinkID]Carried{},
	}
}

// Len counts the objects.
func (o Objects) Len() int {
	n := len(o.Namespaces) + len(o.Links) + len(o.Sysctls) + len(o.Addresses) +
		len(o.Tunnels) + len(o.Stations) + len(o.Neighbors) + len(o.Routes) + len(o.Redirects) + len(o.Answers) + len(o.Programs) + len(o.Carried) +
		len(o.Forwarded) + len(o.Unaided)
	for _, r := range o.Filters {
		n += r.Len()
	}
	return n
}

// otherPlane reports whether have is a network's of which there is something on the other
// plane than the wanted one.
func (o Objects) otherPlane(have Objects, ns NS) bool {
	if len(o.Programs) == 0 {
		return len(o.Links) > 0 && have.ofPrograms(ns)
	}
	return have.ofKernelPlane(ns)
}

// ofPrograms reports whether there is anything of a network that programs forward for.
func (o Objects) ofPrograms(ns NS) bool {
	_, gateway := o.Links[LinkID{ns, gatewayName}]
	return gateway
}

// ofKernelPlane reports whether there is anything of a network on the kernel plane: links of
// Weft's in its domain that the eBPF plane does not make. That has near ends of tunnels there,
// too.
func (o Objects) ofKernelPlane(ns NS) bool {
	for id, l := range o.Links {
		switch id.Name {
		case loopbackName, gatewayName, directName:
		default:
			_, tunnel := endpointOf(l.Alias).Tunnel()
			if id.NS == ns && strings.HasPrefix(l.Alias, aliasPrefix) && !tunnel {
				return true
			}
		}
	}
	return false
}

// ofUserPlane reports whether there is anything of a network on the user plane.
func (o Objects) ofUserPlane(ns NS) bool { return o.Links[LinkID{ns, userTunnelName}].Kind == KindTun }

// LinkID says which link: a name in a namespace.
type LinkID struct {
	NS   NS
	Name string
}

func compareLinkID(a, b LinkID) int {
	return cmp.Or(cmp.Compare(a.NS, b.NS), cmp.Compare(a.Name, b.Name))
}

// SysctlID is a setting under /proc/sys, "net/ipv4/ip_forward".
type SysctlID struct {
	NS   NS
	Name string
}

// isOfLink reports whether the setting is a single link's.
func (id SysctlID) isOfLink() bool {
	words := strings.Split(id.Name, "/") // net/ipv4/conf/LINK/…
	return len(words) == 5 && words[2] == "conf" && words[3] != "all" && words[3] != "default"
}

func compareSysctlID(a, b SysctlID) int {
	return cmp.Or(cmp.Compare(a.NS, b.NS), cmp.Compare(a.Name, b.Name))
}

// Address is an address of a link; IPv6 ones are set without duplicate address
// detection, which the registry makes needless.
type Address struct {
	Link   LinkID
	Prefix netip.Prefix
}

func compareAddress(a, b Address) int {
	return cmp.Or(compareLinkID(a.Link, b.Link), a.Prefix.Compare(b.Prefix))
}

// TunnelKey is an entry in the FDB of a vxlan device. The all-zeros MAC, where
// broadcast and multicast go, has an entry for each member, which is told by
// its VTEP; Member is zero otherwise.
type TunnelKey struct {
	Link   LinkID
	MAC    overlay.MAC
	Member netip.Addr
}

func compareTunnelKey(a, b TunnelKey) int {
	return cmp.Or(compareLinkID(a.Link, b.Link), compareMAC(a.MAC, b.MAC), a.Member.Compare(b.Member))
}

// StationKey is an entry in the FDB of a bridge.
type StationKey struct {
	Bridge LinkID
	MAC    overlay.MAC
}

// Station says behind which port a MAC is.
type Station struct {
	Port string
	// Sticky: frames with this source MAC on another port do not move it. Weft's
	// entries are, others need not be.
	Sticky bool
}

func compareStationKey(a, b StationKey) int {
	return cmp.Or(compareLinkID(a.Bridge, b.Bridge), compareMAC(a.MAC, b.MAC))
}

// NeighborKey is a permanent neighbour entry of a link.
type NeighborKey struct {
	Link    LinkID
	Address netip.Addr
}

func compareNeighborKey(a, b NeighborKey) int {
	return cmp.Or(compareLinkID(a.Link, b.Link), a.Address.Compare(b.Address))
}

func compareMAC(a, b overlay.MAC) int { return bytes.Compare(a[:], b[:]) }

// DomainNS is the namespace of a network whose namespaces are mounted in dir.
func DomainNS(dir string, n overlay.NetworkName) NS {
	return NS(path.Join(dir, domainPrefix+string(n)))
}

// domainPrefix begins the names of Weft's namespaces.
const domainPrefix = "weft-"

// isWorkload reports whether the namespace is neither the host's nor one of Weft's.
func (ns NS) isWorkload() bool {
	return ns != Host && !strings.HasPrefix(path.Base(string(ns)), domainPrefix)
}
