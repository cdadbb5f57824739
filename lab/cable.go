package lab

import (
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
)

// plugCable plugs an end of a cable into a machine. The first to come makes the pair,
// and leaves the other end in the underlay's namespace, under the segment's name.
func (l *Lab) plugCable(h *Host, device, segment string, mtu int) error {
	machine, err := os.Open(h.path)
	if err != nil {
		return err
	}
	defer machine.Close()
	return l.Underlay().Do(func() error {
		end, err := netlink.LinkByName(segment)
		if err == nil {
			return hand(h, end, device, int(machine.Fd()))
		}
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = segment, mtu
		veth := &netlink.Veth{LinkAttrs: attrs, PeerName: device, PeerNamespace: netlink.NsFd(int(machine.Fd()))}
		if err := netlink.LinkAdd(veth); err != nil {
			return fmt.Errorf("add cable %s: %w", segment, err)
		}
		return nil
	})
}

// hand hands an end of a cable to a machine, which calls it by its device's name.
func hand(h *Host, end netlink.Link, device string, machine int) error {
	name := end.Attrs().Name
	if err := netlink.LinkSetNsFd(end, machine); err != nil {
		return fmt.Errorf("move cable %s: %w", name, err)
	}
	return h.Do(func() error {
		end, err := netlink.LinkByName(name)
		if err != nil {
			return fmt.Errorf("find cable %s: %w", name, err)
		}
		if err := netlink.LinkSetName(end, device); err != nil {
			return fmt.Errorf("rename cable %s: %w", name, err)
		}
		return nil
	})
}
