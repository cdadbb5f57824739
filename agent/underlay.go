package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weft/dataplane/kernel"
	"weft/overlay"
)

// Underlay is how this host reaches the other nodes.
type Underlay struct {
	Addresses []netip.Prefix
	// MTU is the smallest of the devices that carry the addresses, in bytes.
	MTU int
}

// Equal compares all fields.
func (u Underlay) Equal(o Underlay) bool {
	return u.MTU == o.MTU && slices.Equal(u.Addresses, o.Addresses)
}

// FindUnderlay looks for the addresses given with --underlay on this host's interfaces,
// or, when none are named, takes the source addresses of its default routes.
func FindUnderlay(addresses []string) (Underlay, error) { return byFlags(addresses).find() }

// find looks for the near ends on this host's interfaces.
func (n nearEnds) find() (Underlay, error) {
	present, err := hostAddresses()
	if err != nil {
		return Underlay{}, fmt.Errorf("read this host's addresses: %w", err)
	}
	var u Underlay
	wanted := n.wanted
	if len(wanted) == 0 {
		for _, f := range []overlay.Family{overlay.V4, overlay.V6} {
			if a, ok := defaultSource(f); ok {
				wanted = append(wanted, nearEnd{"the default route's source", a.String()})
			}
		}
		if len(wanted) == 0 {
			return Underlay{}, fmt.Errorf("this host has no default route to tell its underlay address by; %s", n.how)
		}
	}
	for _, w := range wanted {
		a, err := w.parse()
		if err != nil {
			return Underlay{}, err
		}
		i := slices.IndexFunc(present, func(p hostAddress) bool { return p.prefix.Addr() == a })
		if i < 0 {
			return Underlay{}, fmt.Errorf("%s %s: no interface of this host has that address; it has %s", w.where, w.address, listAddresses(present))
		}
		if j := slices.IndexFunc(u.Addresses, func(p netip.Prefix) bool { return overlay.FamilyOf(p.Addr()) == overlay.FamilyOf(a) }); j >= 0 {
			return Underlay{}, fmt.Errorf("%s %s and %s: a node has at most one underlay address of each family", w.where, u.Addresses[j].Addr(), a)
		}
		u.add(present[i])
	}
	return u, nil
}

func (u *Underlay) add(h hostAddress) {
	u.Addresses = append(u.Addresses, h.prefix)
	if u.MTU == 0 || h.mtu < u.MTU {
		u.MTU = h.mtu
	}
}

func (e nearEnd) parse() (netip.Addr, error) {
	s := strings.TrimSpace(e.address)
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Addr(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%s %q: want an address of this host such as 192.0.2.11", e.where, s)
	}
	return a, nil
}

type hostAddress struct {
	prefix netip.Prefix
	mtu    int
	// inside: the interface is of a network or tunnel.
	inside bool
}

// listAddresses names those that may be an underlay's.
func listAddresses(all []hostAddress) string {
	var names []string
	for _, h := range all {
		if !h.inside {
			names = append(names, h.prefix.Addr().String())
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// maxDumps are the tries to read addresses while somebody changes them.
const maxDumps = 20

// hostAddresses lists the global addresses of this host's interfaces.
func hostAddresses() (all []hostAddress, err error) {
	for range maxDumps {
		all, err = dumpAddresses()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return all, err
}

func dumpAddresses() ([]hostAddress, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	var all []hostAddress
	for _, link := range links {
		addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			ip, ok := netip.AddrFromSlice(a.IP)
			if !ok || a.Flags&unix.IFA_F_DADFAILED != 0 {
				continue
			}
			ones, _ := a.Mask.Size()
			if ip = ip.Unmap(); ip.IsGlobalUnicast() {
				all = append(all, hostAddress{netip.PrefixFrom(ip, ones), link.Attrs().MTU, kernel.Made(link.Attrs().Alias)})
			}
		}
	}
	return all, nil
}

// defaultSource is the address from which this host would send to an address
// far away (a documentation prefix, RFC 5737 and RFC 3849: nothing is sent).
func defaultSource(f overlay.Family) (netip.Addr, bool) {
	far := net.IPv4(203, 0, 113, 1)
	if f == overlay.V6 {
		far = net.ParseIP("2001:db8:ffff::1")
	}
	routes, err := netlink.RouteGet(far)
	if err != nil || len(routes) == 0 || routes[0].Type != unix.RTN_UNICAST {
		return netip.Addr{}, false
	}
	a, ok := netip.AddrFromSlice(routes[0].Src)
	return a.Unmap(), ok && a.IsGlobalUnicast()
}

// watchAgain is the pause before a subscription is renewed that the kernel ended.
const watchAgain = time.Second

// watchUnderlay calls changed with the underlay each time that it is another
// one, until ctx ends. While the host has no such address nothing is called but
// the log, once: the last one stays.
func watchUnderlay(ctx context.Context, wanted func() nearEnds, now Underlay, changed func(Underlay), log *slog.Logger) {
	lost := false
	look := func() {
		u, err := wanted().find()
		if err != nil {
			if !lost {
				log.Warn("this node's underlay is gone; other nodes do not reach it until it is back", "underlay", now.Addresses, "err", err)
			}
			lost = true
			return
		}
		if lost {
			log.Info("this node's underlay is back", "underlay", u.Addresses)
		}
		lost = false
		if !u.Equal(now) {
			now = u
			changed(u)
		}
	}
	for ctx.Err() == nil {
		err := onAddressChange(ctx, look)
		if ctx.Err() != nil {
			return
		}
		log.Warn("watch this host's addresses", "err", err, "again", watchAgain)
		select {
		case <-time.After(watchAgain):
		case <-ctx.Done():
		}
	}
}

// onAddressChange calls look now and whenever addresses, links or routes of
// this host change, until ctx or the subscription ends.
func onAddressChange(ctx context.Context, look func()) error {
	done := make(chan struct{})
	defer close(done)
	addrs, links, routes := make(chan netlink.AddrUpdate, 64), make(chan netlink.LinkUpdate, 64), make(chan netlink.RouteUpdate, 64)
	if err := errors.Join(
		netlink.AddrSubscribe(addrs, done), netlink.LinkSubscribe(links, done), netlink.RouteSubscribe(routes, done),
	); err != nil {
		return err
	}
	for {
		look()
		ok := true
		select {
		case <-ctx.Done():
			return nil
		case _, ok = <-addrs:
		case _, ok = <-links:
		case _, ok = <-routes:
		}
		if !ok {
			return errors.New("the kernel ended the subscription")
		}
	}
}
