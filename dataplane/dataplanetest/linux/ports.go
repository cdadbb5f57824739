package linux

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/vishvananda/netlink"

	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/overlay"
)

// port is the far end of a port.
type port struct {
	device string // its name
	wire   wire   // nil until it is attached
}

func (p *port) close() error {
	if p.wire == nil {
		return nil
	}
	return p.wire.Close()
}

// place says where a port's far end is.
func (h *Harness) place(name overlay.NetworkName, p dataplane.Port) dataplane.Port {
	if p.Tunnel != nil {
		return p
	}
	at := dataplanetest.Place{Network: name, Port: p.Name}
	far := h.ports[at]
	if far == nil {
		far = &port{device: fmt.Sprintf("far%d", len(h.ports))}
		h.ports[at] = far
	}
	p.Attach = overlay.Attach{Type: h.subject.Attach, Target: far.device}
	if p.Kind == overlay.PortSegment {
		p.Attach = overlay.Attach{Type: overlay.AttachBridge, Target: bridgeOf(far)}
	}
	return p
}

// The bridge that a segment port joins, and its port to the wire.
func bridgeOf(p *port) string { return "br" + p.device }
func nearOf(p *port) string   { return "n" + p.device }

// makeBridges makes the bridges of others that segment ports join: hubs, which
// learn nothing for longer than no time.
func (h *Harness) makeBridges(s dataplane.State) error {
	for name, n := range s.Networks {
		for _, p := range n.Ports {
			if p.Kind != overlay.PortSegment || p.Tunnel != nil {
				continue
			}
			if err := h.makeBridge(h.ports[dataplanetest.Place{Network: name, Port: p.Name}]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *Harness) makeBridge(p *port) error {
	return h.try(h.host, func(nl *netlink.Handle) error {
		if _, err := nl.LinkByName(bridgeOf(p)); err == nil {
			return nil
		}
		never, no := uint32(0), false
		bridge := &netlink.Bridge{
			LinkAttrs: netlink.LinkAttrs{Name: bridgeOf(p)}, AgeingTime: &never, MulticastSnooping: &no,
		}
		if err := nl.LinkAdd(bridge); err != nil {
			return fmt.Errorf("add bridge: %w", err)
		}
		near := nearOf(p)
		veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: p.device}, PeerName: near}
		if err := nl.LinkAdd(veth); err != nil {
			return fmt.Errorf("add veth: %w", err)
		}
		end, err := nl.LinkByName(near)
		if err != nil {
			return err
		}
		err = trySysctls(h.host, map[string]string{
			"net/ipv6/conf/" + near + "/disable_ipv6": "1", "net/ipv6/conf/" + bridgeOf(p) + "/disable_ipv6": "1",
		})
		return errors.Join(err, nl.LinkSetMaster(end, bridge), nl.LinkSetUp(end), nl.LinkSetUp(bridge))
	})
}

// attach opens the far end of a port, if that is a new one.
func (h *Harness) attach(name overlay.NetworkName, p dataplane.Port) error {
	far := h.ports[dataplanetest.Place{Network: name, Port: p.Name}]
	if p.Kind == overlay.PortSingle && h.subject.Attach == overlay.AttachTap {
		return h.attachTap(name, p, far)
	}
	isNew := false
	err := h.try(h.host, func(nl *netlink.Handle) (err error) {
		isNew, err = h.takeAway(nl, far.device)
		return err
	})
	if err != nil || !isNew {
		return err
	}
	if err := far.close(); err != nil {
		return err
	}
	err = h.try(h.wires, func(nl *netlink.Handle) error {
		index, err := bringUp(nl, far.device)
		if err != nil {
			return err
		}
		far.wire, err = openPacketWire(h.wires, index)
		return err
	})
	if err != nil {
		return err
	}
	if p.Kind == overlay.PortSegment {
		err = errors.Join(h.awaitRunning(h.host, nearOf(far)), h.awaitRunning(h.host, p.Device))
	}
	return errors.Join(err, h.awaitRunning(h.nearOf(name), p.Device))
}

// takeAway moves a device where the host's own stack does not see what it gets. A
// device that is not there was moved before: moved is false.
func (h *Harness) takeAway(nl *netlink.Handle, device string) (moved bool, err error) {
	link, err := nl.LinkByName(device)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	ns, err := os.Open(h.wires)
	if err != nil {
		return false, err
	}
	defer ns.Close()
	return true, nl.LinkSetNsFd(link, int(ns.Fd()))
}

func bringUp(nl *netlink.Handle, device string) (index int, err error) {
	link, err := nl.LinkByName(device)
	if err != nil {
		return 0, err
	}
	// Large enough for what is too large for the network.
	return link.Attrs().Index, errors.Join(nl.LinkSetMTU(link, 9000), nl.LinkSetARPOff(link), nl.LinkSetUp(link))
}

// attachTap opens a port's tap, as a virtual machine does that is started.
func (h *Harness) attachTap(name overlay.NetworkName, p dataplane.Port, far *port) error {
	if tap, ok := far.wire.(*tapWire); ok && tap.attached() {
		return nil
	}
	if err := far.close(); err != nil {
		return err
	}
	w, err := openTapWire(h.host, far.device)
	if err != nil {
		return err
	}
	far.wire = w
	// The host's own IPv6 reports its groups on every device, ours too, when it
	// becomes a router; the filter counts that as forged.
	near := p.Device
	if h.subject.OnHost {
		near = far.device // there is nothing between the tap and the plane
	}
	quiet := trySysctls(h.host, map[string]string{
		"net/ipv6/conf/" + far.device + "/disable_ipv6": "1", "net/ipv6/conf/" + near + "/disable_ipv6": "1",
	})
	return errors.Join(quiet, h.awaitRunning(h.host, far.device), h.awaitRunning(h.nearOf(name), near))
}

// awaitRunning waits until the kernel has noticed that a veth's other end is up;
// asking for the link makes it look (net/core/link_watch.c).
func (h *Harness) awaitRunning(ns, device string) error {
	return h.try(ns, func(nl *netlink.Handle) error {
		for deadline := time.Now().Add(5 * time.Second); ; {
			link, err := nl.LinkByName(device)
			if err != nil || link.Attrs().OperState == netlink.OperUp {
				return err
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%s is %s", device, link.Attrs().OperState)
			}
		}
	})
}

// nearOf is the namespace of a network's ports.
func (h *Harness) nearOf(name overlay.NetworkName) string {
	if h.subject.OnHost {
		return h.host
	}
	return h.domain(name)
}
