package kernel

import (
	"errors"
	"io/fs"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"weft/overlay"
)

func family(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func (o addAddress) do(h *hand) error {
	s, i, err := h.at(o.Link)
	if err != nil {
		return err
	}
	m := addressMessage(o.Address, i)
	if o.Prefix.Addr().Is6() {
		m.IfAddrmsg.Flags = unix.IFA_F_NODAD
	}
	err = s.send(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m, addressAttributes(o.Address)[0], addressAttributes(o.Address)[1])
	if isSpared(o.Address) {
		err = ignore(err, noIPv6)
	}
	return ignore(err, unix.EEXIST)
}

// noIPv6 is what the kernel says to an address on a link that has no IPv6 (net/ipv6/addrconf.c,
// addrconf_add_dev).
const noIPv6 = unix.EACCES

func (o deleteAddress) do(h *hand) error {
	s, i, err := h.at(o.Link)
	if err != nil {
		return gone(err)
	}
	attrs := addressAttributes(o.Address)
	return ignore(s.send(unix.RTM_DELADDR, 0, addressMessage(o.Address, i), attrs[0], attrs[1]), unix.EADDRNOTAVAIL)
}

func addressMessage(a Address, index int) *nl.IfAddrmsg {
	m := nl.NewIfAddrmsg(int(family(a.Prefix.Addr())))
	m.Index = uint32(index)
	m.Prefixlen = uint8(a.Prefix.Bits())
	if a.Prefix.Addr().IsLinkLocalUnicast() {
		m.Scope = unix.RT_SCOPE_LINK
	}
	return m
}

func addressAttributes(a Address) [2]*nl.RtAttr {
	b := a.Prefix.Addr().AsSlice()
	return [2]*nl.RtAttr{nl.NewRtAttr(unix.IFA_LOCAL, b), nl.NewRtAttr(unix.IFA_ADDRESS, b)}
}

// gone drops the error that a link is not there: what was on it is not either.
func gone(err error) error { return ignore(err, fs.ErrNotExist) }

// entry is a message about an FDB or neighbour entry.
func entry(family uint8, index int, state uint16, flags uint8) *netlink.Ndmsg {
	return &netlink.Ndmsg{Family: family, Index: uint32(index), State: state, Flags: flags}
}

func linkAddress(m overlay.MAC) *nl.RtAttr { return nl.NewRtAttr(netlink.NDA_LLADDR, m[:]) }

func destination(a netip.Addr) *nl.RtAttr { return nl.NewRtAttr(netlink.NDA_DST, a.AsSlice()) }

func (o setTunnel) do(h *hand) error {
	s, i, err := h.at(o.Link)
	if err != nil {
		return err
	}
	mode := unix.NLM_F_CREATE | unix.NLM_F_REPLACE
	if o.MAC.IsZero() {
		mode = unix.NLM_F_CREATE | unix.NLM_F_APPEND
	}
	return ignore(s.send(unix.RTM_NEWNEIGH, mode,
		entry(unix.AF_BRIDGE, i, netlink.NUD_PERMANENT, netlink.NTF_SELF), linkAddress(o.MAC), destination(o.VTEP)), unix.EEXIST)
}

func (o deleteTunnel) do(h *hand) error {
	s, i, err := h.at(o.Link)
	if err != nil {
		return gone(err)
	}
	return ignore(s.send(unix.RTM_DELNEIGH, 0,
		entry(unix.AF_BRIDGE, i, netlink.NUD_PERMANENT, netlink.NTF_SELF), linkAddress(o.MAC), destination(o.VTEP)), unix.ENOENT)
}

func (o setStation) do(h *hand) error {
	s, i, err := h.at(LinkID{o.Bridge.NS, o.Port})
	if err != nil {
		return err
	}
	return s.send(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE,
		entry(unix.AF_BRIDGE, i, netlink.NUD_NOARP, netlink.NTF_MASTER|ntfSticky), linkAddress(o.MAC))
}

func (o deleteStation) do(h *hand) error {
	s, i, err := h.at(LinkID{o.Bridge.NS, o.Port})
	if err != nil {
		return gone(err)
	}
	return ignore(s.send(unix.RTM_DELNEIGH, 0,
		entry(unix.AF_BRIDGE, i, netlink.NUD_NOARP, netlink.NTF_MASTER), linkAddress(o.MAC)), unix.ENOENT)
}

func (o setNeighbor) do(h *hand) error {
	s, i, err := h.at(o.Link)
	if err != nil {
		return err
	}
	return s.send(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE,
		entry(family(o.Address), i, netlink.NUD_PERMANENT, 0), destination(o.Address), linkAddress(o.MAC))
}

func (o deleteNeighbor) do(h *hand) error {
	s, i, err := h.at(o.Link)
	if err != nil {
		return gone(err)
	}
	return ignore(s.send(unix.RTM_DELNEIGH, 0, entry(family(o.Address), i, 0, 0), destination(o.Address)), unix.ENOENT)
}

func (o addRoute) do(h *hand) error {
	return o.send(h, unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, o.Route)
}

func (o changeRoute) do(h *hand) error {
	return o.send(h, unix.RTM_NEWROUTE, unix.NLM_F_REPLACE, o.Route)
}

func (o deleteRoute) do(h *hand) error {
	err := gone(o.send(h, unix.RTM_DELROUTE, 0, o.Route))
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

func (k RouteKey) send(h *hand, message, flags int, r Route) error {
	s, err := h.in(k.NS)
	if err != nil {
		return err
	}
	m := nl.NewRtMsg()
	m.Family = family(k.Prefix.Addr())
	m.Dst_len = uint8(k.Prefix.Bits())
	m.Protocol = uint8(r.Protocol)
	if message == unix.RTM_DELROUTE {
		m.Scope = unix.RT_SCOPE_NOWHERE // whatever it is
	}
	data := []nl.NetlinkRequestData{m, nl.NewRtAttr(unix.RTA_DST, k.Prefix.Addr().AsSlice())}
	if k.Metric != 0 {
		data = append(data, nl.NewRtAttr(unix.RTA_PRIORITY, nl.Uint32Attr(uint32(k.Metric))))
	}
	if r.Unreachable {
		m.Type = unix.RTN_UNREACHABLE
		return s.send(message, flags, data...)
	}
	if r.Via.IsValid() {
		data = append(data, nl.NewRtAttr(unix.RTA_GATEWAY, r.Via.AsSlice()))
	} else if m.Family == unix.AF_INET && message != unix.RTM_DELROUTE {
		m.Scope = unix.RT_SCOPE_LINK
	}
	if r.MTU != 0 {
		metrics := nl.NewRtAttr(unix.RTA_METRICS, nil)
		metrics.AddRtAttr(unix.RTAX_MTU, nl.Uint32Attr(uint32(r.MTU)))
		data = append(data, metrics)
	}
	if r.OnLink {
		m.Flags |= unix.RTNH_F_ONLINK
	}
	if r.Device != "" {
		i, err := s.link(r.Device)
		if err != nil {
			return err
		}
		data = append(data, nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(i))))
	}
	return s.send(message, flags, data...)
}
