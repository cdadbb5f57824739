package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/overlay"
)

// InTheWay says, before anything is changed, which tunnels that stand alone the host would refuse
// for what is there of somebody else's: a device of the name, a route in the place of one, a
// process that has the port, or no other way to the peer than through the tunnel. It reads alone, and what it does not see Apply says. The error joins
// a [TunnelError] of each.
func (p *Plane) InTheWay(want map[overlay.TunnelName]dataplane.Tunnel) error {
	if len(want) == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.newHand()
	defer h.Close()
	s, err := h.in(Host)
	if err != nil {
		return err
	}
	t, err := readLinks(s)
	if err != nil {
		return err
	}
	routes, ways := map[RouteKey]hostRoute{}, wayOut{}
	if err := s.routes(0, func(r hostRoute) {
		if r.table != unix.RT_TABLE_LOCAL {
			ways.add(r.prefix, t.links[r.link].name)
		}
		if r.table == unix.RT_TABLE_MAIN && r.proto != Protocol && !p.isOurs(t.links[r.link]) {
			routes[RouteKey{Host, r.prefix, r.metric}] = r
		}
	}); err != nil {
		return err
	}
	for _, tunnel := range want {
		for _, r := range tunnel.Spec.Routes {
			ways.add(r.Prefix, tunnel.Spec.Device)
		}
	}
	var errs []error
	for _, name := range dataplane.SortedKeys(want, cmp.Compare[overlay.TunnelName]) {
		tunnel := want[name]
		words := ""
		for _, l := range t.links {
			if l.name == tunnel.Spec.Device && !p.isOurs(l) {
				words = nameTaken(l.name)
			}
		}
		for _, r := range tunnel.Spec.Routes {
			if other, taken := routes[RouteKey{Host, r.Prefix, metricIn(r)}]; taken && words == "" {
				words = t.routeTaken(other)
			}
		}
		if words == "" {
			words = ways.leadInto(tunnel)
		}
		if words == "" {
			words = h.portInTheWay(tunnel)
		}
		if words != "" {
			errs = append(errs, &TunnelError{name, errors.New(words)})
		}
	}
	return errors.Join(errs...)
}

// wayOut is by which devices a prefix is reached, in any table: rules may choose among those.
type wayOut map[netip.Prefix]map[string]struct{}

func (w wayOut) add(p netip.Prefix, device string) {
	if w[p] == nil {
		w[p] = map[string]struct{}{}
	}
	w[p][device] = struct{}{}
}

// leadInto says which route leads a tunnel's own packets into it.
func (w wayOut) leadInto(t dataplane.Tunnel) string {
	if !t.Remote.IsValid() {
		return ""
	}
	for bits := t.Remote.BitLen(); bits > 0; bits-- {
		p := netip.PrefixFrom(t.Remote, bits).Masked()
		for device := range w[p] {
			if device != t.Spec.Device {
				return ""
			}
		}
		of := overlay.Tunnel{Spec: t.Spec}
		if err := of.LeadsInto(t.Remote, bits-1); err != nil {
			return err.Error()
		}
	}
	return ""
}

// isOurs reports whether a link is Weft's, whatever of it: another tunnel may take its name over.
func (p *Plane) isOurs(l hostLink) bool {
	known, ok := p.tunnelLinks[LinkID{Host, l.name}]
	return strings.HasPrefix(l.link.Alias, aliasPrefix) || l.group == halfMade || ok && known == l.index
}

// portInTheWay says which process has the port of a tunnel for which the kernel opens a socket.
// A socket that a tunnel has there already may be the same one.
func (h *hand) portInTheWay(t dataplane.Tunnel) string {
	port := t.Spec.Port
	if t.Spec.Plane == overlay.PlaneUser || !hasIdle(t) {
		return ""
	}
	onPort := func(l Link) bool { return l.Kind.hasSocket() && l.Outer.Port == port }
	if other, _ := h.tunnelHolder(LinkID{}, onPort); other != "" || h.carriesOn(port) || h.canBind(t.Local, port) {
		return ""
	}
	process := h.portHolder(port)
	if process == "" {
		return ""
	}
	return fmt.Sprintf("UDP port %d of this host is held by %s: stop it, or give the tunnel another port", port, process)
}

// carriesOn reports whether the forwarder has the port: what it carries may be on its way to the
// kernel.
func (h *hand) carriesOn(port uint16) bool {
	all, err := h.allCarried()
	for _, c := range all {
		if c.Local.Port() == port {
			return true
		}
	}
	return err != nil
}

// canBind reports whether a socket as the kernel's tunnels have, for every address of a family,
// can be opened.
func (h *hand) canBind(local netip.Addr, port uint16) bool {
	network := "udp4"
	if local.Is6() {
		network = "udp6"
	}
	err := netns.Do(h.host, func() error {
		held, err := net.ListenPacket(network, ":"+strconv.Itoa(int(port)))
		if err != nil {
			return err
		}
		return held.Close()
	})
	return !errors.Is(err, unix.EADDRINUSE)
}
