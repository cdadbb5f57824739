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
// process that has the port, or no other way to the peer than through the tunnel. It reads alone,
// and what it does not see Apply says. The error joins a [TunnelError] of each.
func (p *Plane) InTheWay(want map[overlay.TunnelName]dataplane.Tunnel) error {
	if len(want) == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.newHand()
	defer h.Close()
	there, err := p.foreign(h)
	if err != nil {
		return err
	}
	for _, t := range want {
		for _, r := range t.Spec.Routes {
			there.ways.add(r.Prefix, t.Spec.Device)
		}
	}
	var errs []error
	for _, name := range dataplane.SortedKeys(want, cmp.Compare[overlay.TunnelName]) {
		t := want[name]
		if words := cmp.Or(there.device(t), there.route(t), there.ways.leadInto(t), h.portInTheWay(t)); words != "" {
			errs = append(errs, &TunnelError{name, errors.New(words)})
		}
	}
	return errors.Join(errs...)
}

// foreign is what the host has of somebody else's that a tunnel could want.
type foreign struct {
	table   linkTable
	devices map[string]struct{}
	routes  map[RouteKey]hostRoute
	ways    wayOut // Weft's are among them
}

func (p *Plane) foreign(h *hand) (foreign, error) {
	f := foreign{devices: map[string]struct{}{}, routes: map[RouteKey]hostRoute{}, ways: wayOut{}}
	s, err := h.in(Host)
	if err != nil {
		return f, err
	}
	if f.table, err = readLinks(s); err != nil {
		return f, err
	}
	for _, l := range f.table.links {
		if !p.isOurs(l) {
			f.devices[l.name] = struct{}{}
		}
	}
	return f, s.routes(0, func(r hostRoute) {
		link := f.table.links[r.link]
		if r.table != unix.RT_TABLE_LOCAL {
			f.ways.add(r.prefix, link.name)
		}
		if r.table == unix.RT_TABLE_MAIN && r.proto != Protocol && !p.isOurs(link) {
			f.routes[RouteKey{Host, r.prefix, r.metric}] = r
		}
	})
}

// device says that somebody has the name of a tunnel's device.
func (f foreign) device(t dataplane.Tunnel) string {
	if !has(f.devices, t.Spec.Device) {
		return ""
	}
	return nameTaken(t.Spec.Device)
}

// route says that somebody has a route in the place of one of a tunnel's.
func (f foreign) route(t dataplane.Tunnel) string {
	for _, r := range t.Spec.Routes {
		if other, taken := f.routes[RouteKey{Host, r.Prefix, metricIn(r)}]; taken {
			return f.table.routeTaken(other)
		}
	}
	return ""
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
