package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// prefix begins the names of a lab's namespaces. Names in it are joined by dots,
// which no name has, so that no lab's names begin another's.
const prefix = "weftlab."

func namespaceName(parts ...string) string {
	return prefix + strings.Join(parts, ".")
}

const defaultMTU = 1500

func (l *Lab) build(ctx context.Context) error {
	mtu, err := l.buildUnderlay()
	if err != nil {
		return fmt.Errorf("underlay: %w", err)
	}
	for _, m := range l.topology.Machines {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.buildMachine(m, mtu); err != nil {
			return fmt.Errorf("machine %s: %w", m.Name, err)
		}
	}
	return nil
}

// buildUnderlay makes a bridge for each segment that is no cable, and returns the segments' MTUs.
func (l *Lab) buildUnderlay() (mtu map[string]int, err error) {
	u := l.Underlay()
	if err := netns.Create(u.path); err != nil {
		return nil, err
	}
	if err := u.sysctls(quiet); err != nil {
		return nil, err
	}
	mtu = map[string]int{}
	for _, s := range l.topology.Segments {
		mtu[s.Name] = defaultMTU
		if s.MTU != 0 {
			mtu[s.Name] = s.MTU
		}
		if s.Cable {
			continue // it is made with its first NIC
		}
		if err := u.Do(func() error { return addBridge(s.Name, mtu[s.Name]) }); err != nil {
			return nil, fmt.Errorf("segment %s: %w", s.Name, err)
		}
	}
	return mtu, nil
}

// quiet keeps the underlay's own stack off its wires.
var quiet = []string{"net/ipv6/conf/all/disable_ipv6=1", "net/ipv6/conf/default/disable_ipv6=1"}

// addBridge makes a bridge that is as plain as a cable: multicast goes everywhere.
func addBridge(name string, mtu int) error {
	off := false
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = name, mtu
	bridge := &netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &off}
	if err := netlink.LinkAdd(bridge); err != nil {
		return fmt.Errorf("add bridge: %w", err)
	}
	return up(name)
}

func (l *Lab) buildMachine(m Machine, mtu map[string]int) error {
	h := &Host{
		Namespace: Namespace{lab: l, path: netns.Named(namespaceName(l.Name(), m.Name))},
		machine:   m,
	}
	if err := os.Mkdir(h.Dir(), 0o755); err != nil {
		return err
	}
	if err := netns.Create(h.path); err != nil {
		return err
	}
	l.hosts = append(l.hosts, h)
	if err := h.sysctls(immediate); err != nil {
		return err
	}
	if m.Router {
		if err := h.sysctls(forwarding); err != nil {
			return err
		}
	}
	if err := h.Do(func() error { return up("lo") }); err != nil {
		return err
	}
	for i, nic := range m.NICs {
		device := fmt.Sprintf("eth%d", i)
		plug := l.plug
		if l.topology.cable(nic.Segment) {
			plug = l.plugCable
		}
		if err := plug(h, device, nic.Segment, mtu[nic.Segment]); err != nil {
			return fmt.Errorf("%s: %w", device, err)
		}
		if err := h.Do(func() error { return configure(device, nic.Addresses) }); err != nil {
			return fmt.Errorf("%s: %w", device, err)
		}
	}
	return h.Do(func() error { return addDefaultRoutes(m.Gateways) })
}

var (
	// immediate makes IPv6 addresses, link-local ones too, usable at once, and
	// leaves the machine's routes to the topology.
	immediate = []string{
		"net/ipv6/conf/default/accept_dad=0", "net/ipv6/conf/default/dad_transmits=0", "net/ipv6/conf/default/accept_ra=0",
	}
	forwarding = []string{"net/ipv4/ip_forward=1", "net/ipv6/conf/all/forwarding=1"}
)

// plug joins a machine's new device to a segment. The far end is born in the
// machine's namespace, so that its name cannot be taken on the way.
func (l *Lab) plug(h *Host, device, segment string, mtu int) error {
	far, err := os.Open(h.path)
	if err != nil {
		return err
	}
	defer far.Close()
	return l.Underlay().Do(func() error {
		bridge, err := netlink.LinkByName(segment)
		if err != nil {
			return fmt.Errorf("find segment %s: %w", segment, err)
		}
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU, attrs.MasterIndex = h.Name()+"-"+device, mtu, bridge.Attrs().Index
		veth := &netlink.Veth{LinkAttrs: attrs, PeerName: device, PeerNamespace: netlink.NsFd(int(far.Fd()))}
		if err := netlink.LinkAdd(veth); err != nil {
			return fmt.Errorf("add veth %s: %w", attrs.Name, err)
		}
		return up(attrs.Name)
	})
}

func configure(device string, addresses []netip.Prefix) error {
	link, err := netlink.LinkByName(device)
	if err != nil {
		return fmt.Errorf("find link: %w", err)
	}
	for _, a := range addresses {
		addr := &netlink.Addr{IPNet: &net.IPNet{IP: a.Addr().AsSlice(), Mask: net.CIDRMask(a.Bits(), a.Addr().BitLen())}}
		if a.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(link, addr); err != nil {
			return fmt.Errorf("add address %v: %w", a, err)
		}
	}
	return up(device)
}

func addDefaultRoutes(gateways []netip.Addr) error {
	for _, gw := range gateways {
		if err := netlink.RouteAdd(&netlink.Route{Gw: gw.AsSlice()}); err != nil {
			return fmt.Errorf("add default route via %v: %w", gw, err)
		}
	}
	return nil
}

func up(device string) error {
	link, err := netlink.LinkByName(device)
	if err != nil {
		return fmt.Errorf("find link %s: %w", device, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set link %s up: %w", device, err)
	}
	return nil
}
