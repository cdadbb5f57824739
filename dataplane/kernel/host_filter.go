package kernel

import (
	"errors"
	"maps"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"weft/dataplane"
	"weft/dataplane/nft"
	"weft/overlay"
)

// hostWant is LowerHost with the host's nft rules, for which the host is asked by
// which device it reaches other nodes.
func (p *Plane) hostWant(h *hand, s dataplane.State) (Objects, error) {
	want := LowerHost(s)
	direct := map[overlay.NetworkName]nft.Direct{}
	for name, n := range s.Networks {
		if !hasDirect(n) {
			continue
		}
		devices, err := h.devices(n)
		if err != nil {
			return want, err
		}
		direct[name] = directFilter(n, devices)
	}
	want.Filters[Host] = nft.Host(s, direct)
	return want, nil
}

// devices are those by which the host reaches the nodes of a network's direct routes.
func (h *hand) devices(n dataplane.Network) (map[netip.Addr]string, error) {
	s, err := h.in(Host)
	if err != nil {
		return nil, err
	}
	links, err := readLinks(s)
	if err != nil {
		return nil, err
	}
	devices := map[netip.Addr]string{}
	for _, r := range n.Routes {
		if _, known := devices[r.Via]; known || !r.Direct {
			continue
		}
		to, err := s.routeTo(r.Via)
		if err != nil {
			return nil, err
		}
		if name := links.id(to.link).Name; name != "" {
			devices[r.Via] = name
		}
	}
	return devices, nil
}

// Explain is the commands that would make the State on this host by hand.
func (p *Plane) Explain(s dataplane.State) ([]string, error) {
	h := p.newHand()
	defer h.Close()
	devices := map[netip.Addr]string{}
	for _, n := range s.Networks {
		if !hasDirect(n) {
			continue
		}
		some, err := h.devices(n)
		if err != nil {
			return nil, err
		}
		maps.Copy(devices, some)
	}
	return Explain(s, p.NetnsDir, devices), nil
}

// routeTo is by which link the namespace reaches an address, 0 if it does not, and the source
// address that it then has.
func (s *space) routeTo(a netip.Addr) (r hostRoute, err error) {
	err = s.get(unix.RTM_GETROUTE, func(m []byte) { r = parseRoute(m) },
		&nl.RtMsg{RtMsg: unix.RtMsg{Family: family(a), Dst_len: uint8(a.BitLen())}}, nl.NewRtAttr(unix.RTA_DST, a.AsSlice()))
	for _, none := range []error{unix.ENETUNREACH, unix.EHOSTUNREACH} {
		if errors.Is(err, none) {
			return hostRoute{}, nil
		}
	}
	return r, err
}

// guard makes the host check the tunnel packets of the wanted networks, before there
// are any tunnels. What else there is stays until applyHost.
func (p *Plane) guard(h *hand) error {
	want := nft.Host(p.want, nil)
	have, _, err := h.readFilters(Host, want)
	if err != nil {
		return err
	}
	want = nft.Keep(want, have, func(name overlay.NetworkName) bool {
		n, wanted := p.want.Networks[name]
		return !wanted || hasDirect(n)
	})
	if commands := nft.Diff(want, have); len(commands) > 0 {
		return setFilters{Host, want, commands}.do(h)
	}
	return nil
}

// concernsHost reports whether a delta changes what belongs to no single network.
func (p *Plane) concernsHost(was dataplane.State, d dataplane.Delta) bool {
	for name, nd := range d.Networks {
		old, known := was.Networks[name]
		if !known || nd.Gone || nd.Settings != nil || !nd.Members.Empty() || hasDirect(old) || hasDirect(p.want.Networks[name]) || concernsTunnels(old, p.want.Networks[name], nd) {
			return true
		}
	}
	return !d.Tunnels.Empty()
}

// concernsTunnels reports whether a change is about tunnels that are ports of a network.
func concernsTunnels(old, next dataplane.Network, d dataplane.NetworkDelta) (some bool) {
	note := func(_ overlay.EndpointName, p dataplane.Port) { some = some || p.Tunnel != nil }
	d.Ports.Among(old.Ports, note)
	d.Ports.Among(next.Ports, note)
	return some
}
