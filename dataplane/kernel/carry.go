package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"weft/dataplane"
	"weft/overlay"
)

// Carrier is the user plane's forwarder: it carries what TUN links have that this package
// makes. It goes on when this process ends.
type Carrier interface {
	// Carried is what it was told to do, by link. What of it does not work says why
	// (Carried.Broken).
	Carried() (map[LinkID]Carried, error)
	// Carry has it do this with a link; nil: nothing more.
	Carry(id LinkID, c *Carried) error
	// Counts are what it has counted since it began.
	Counts() (CarriedCounts, error)
}

// CarriedCounts are a forwarder's.
type CarriedCounts struct {
	Links map[LinkID]CarriedCount
	// Drops are of packets that belong to no single link.
	Drops map[overlay.DropReason]overlay.Count
}

// CarriedCount is what was counted of a link. Those that are gone are in All.
type CarriedCount struct {
	Peers map[netip.Addr]overlay.Traffic
	All   overlay.Traffic
	Drops map[overlay.DropReason]overlay.Count
}

// errNoCarrier says that a link is to be carried for, and there is nobody who could.
var errNoCarrier = errors.New("the user plane does not run here")

// newHand returns a hand on this plane's host.
func (p *Plane) newHand() *hand {
	h := newHand(p.Host)
	h.carrier = p.Carrier
	return h
}

func (o setCarried) do(h *hand) error {
	if h.carrier == nil {
		return errNoCarrier
	}
	h.carried = nil
	return h.carrier.Carry(o.ID, &o.Want)
}

// portTaken says who has the port that the forwarder's socket needs.
func (o setCarried) portTaken(h *hand) string {
	holder := h.portHolder(o.Want.Local.Port())
	if holder == "" {
		holder, _ = h.tunnelHolder(o.ID, func(l Link) bool { return l.Kind.hasSocket() && l.Outer.Port == o.Want.Local.Port() })
	}
	holder = cmp.Or(holder, "another program")
	return fmt.Sprintf("UDP port %d is taken by %s: end it, or choose another port", o.Want.Local.Port(), holder)
}

func (o dropCarried) do(h *hand) error {
	if h.carrier == nil {
		return nil
	}
	h.carried = nil
	return h.carrier.Carry(o.ID, nil)
}

// allCarried is what the forwarder does, which is asked once for all networks.
func (h *hand) allCarried() (map[LinkID]Carried, error) {
	if h.carried != nil || h.carrier == nil {
		return h.carried, nil
	}
	all, err := h.carrier.Carried()
	h.carried = all
	return all, err
}

// carriedIn reads what is carried for the links of the network's namespace.
func (o *observer) carriedIn() error {
	all, err := o.hand.allCarried()
	for id, c := range all {
		if id.NS == o.ns {
			o.Carried[id] = c
		}
	}
	return err
}

// counted is what the forwarder has counted of a network on the user plane.
func (p *Plane) carriedCount(n dataplane.Network) (CarriedCount, error) {
	if p.Carrier == nil {
		return CarriedCount{}, nil
	}
	all, err := p.Carrier.Counts()
	return all.Links[LinkID{DomainNS(p.NetnsDir, n.Name), userTunnelName}], err
}

// countCarriedTunnel adds what the forwarder has dropped of a tunnel that stands alone.
func (p *Plane) countCarriedTunnel(t dataplane.Tunnel, v *dataplane.NetworkView) error {
	if p.Carrier == nil {
		return nil
	}
	all, err := p.Carrier.Counts()
	v.Dropped = all.Links[LinkID{Host, t.Spec.Device}].Drops
	v.Drops = overlay.Drops{}
	for why, c := range v.Dropped {
		v.Drops[why] = c.Packets
	}
	return err
}

// withCarriedTunnels adds what the forwarder has dropped of the network's tunnels.
func (p *Plane) withCarriedTunnels(n dataplane.Network, ns NS, drops overlay.Drops) (overlay.Drops, error) {
	var counts CarriedCounts
	for _, port := range n.Ports {
		if p.Carrier == nil || port.Tunnel == nil || port.Tunnel.Spec.Plane != overlay.PlaneUser {
			continue
		}
		if counts.Links == nil {
			all, err := p.Carrier.Counts()
			if err != nil {
				return drops, err
			}
			counts, drops = all, maps.Clone(drops)
			if drops == nil {
				drops = overlay.Drops{}
			}
		}
		for why, c := range counts.Links[nearEnd(n, ns, port)].Drops {
			drops[why] += c.Packets
		}
	}
	return drops, nil
}

// userTold are the reasons for drops that the forwarder or the domain's filters count whenever
// they apply.
func userTold() []overlay.DropReason {
	return []overlay.DropReason{overlay.DropNotMember, overlay.DropUnknownVNI, overlay.DropSpoofedMAC, overlay.DropSpoofedIP}
}

// drops adds those of a network's filters to what the forwarder has counted.
func (c CarriedCount) drops(filters overlay.Drops) (drops overlay.Drops, untold []overlay.DropReason) {
	drops = maps.Clone(filters)
	if drops == nil {
		drops = overlay.Drops{}
	}
	for why, n := range c.Drops {
		drops[why] += n.Packets
	}
	untold = slices.DeleteFunc(overlay.DropReasons(), func(r overlay.DropReason) bool { return slices.Contains(userTold(), r) })
	return drops, untold
}
