package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

func (o addNamespace) do(h *hand) error {
	err := netns.Create(string(o.NS))
	if errors.Is(err, fs.ErrExist) {
		return nil // observed as not there: an empty one is as good as new
	}
	return err
}

func (o deleteNamespace) do(h *hand) error {
	h.forget(o.NS)
	return netns.Delete(string(o.NS))
}

func (o addLink) do(h *hand) error {
	if o.Link.isTunTap() {
		return o.doTap(h)
	}
	from := o.Link.madeFrom(o.ID)
	s, err := h.in(from)
	if err != nil {
		return err
	}
	var files nsFiles
	defer files.Close()
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated(string(o.Link.Kind)))
	data := info.AddRtAttr(nl.IFLA_INFO_DATA, nil)
	switch o.Link.Kind {
	case KindBridge:
		data.AddRtAttr(nl.IFLA_BR_MCAST_SNOOPING, nl.Uint8Attr(0))
		if a := o.Link.Bridge.Ageing; a != defaultAgeing {
			data.AddRtAttr(nl.IFLA_BR_AGEING_TIME, nl.Uint32Attr(uint32(100*a)))
		}
	case KindVeth:
		peer := data.AddRtAttr(nl.VETH_INFO_PEER, nil)
		nl.NewIfInfomsgChild(peer, unix.AF_UNSPEC)
		attrs, err := o.Peer.identityAttributes(o.Link.Peer, Host, &files)
		if err != nil {
			return err
		}
		if o.Link.isMarked(o.ID) {
			attrs = append(attrs, nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(halfMade)))
		}
		for _, a := range attrs {
			peer.AddChild(a)
		}
	}
	if err := h.outerAttributes(data, o.Link, nil); err != nil {
		return err
	}
	made := o.madeAs()
	attrs, err := o.Link.identityAttributes(made, from, &files)
	if err != nil {
		return err
	}
	if made.NS == Host && o.Link.isMarked(o.ID) {
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(halfMade)))
	}
	message := []nl.NetlinkRequestData{nl.NewIfInfomsg(unix.AF_UNSPEC)}
	for _, a := range append(attrs, info) {
		message = append(message, a)
	}
	if err := s.send(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, message...); err != nil || made == o.ID {
		return err
	}
	return o.move(h, made)
}

// nsFiles are namespaces that a message refers to by descriptor.
type nsFiles []*os.File

func (f *nsFiles) open(ns NS) (uint32, error) {
	file, err := os.Open(string(ns))
	if err != nil {
		return 0, fmt.Errorf("open network namespace: %w", err)
	}
	*f = append(*f, file)
	return uint32(file.Fd()), nil
}

// Close has a pointer for its receiver: what is deferred is what there is in the end.
func (f *nsFiles) Close() {
	for _, file := range *f {
		file.Close()
	}
}

// identityAttributes is identity in netlink.
func (l Link) identityAttributes(id LinkID, at NS, files *nsFiles) ([]*nl.RtAttr, error) {
	attrs := []*nl.RtAttr{nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(id.Name))}
	if id.NS != at {
		fd, err := files.open(id.NS)
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(fd)))
	}
	if !l.MAC.IsZero() {
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_ADDRESS, l.MAC[:]))
	}
	if l.MTU != 0 {
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(l.MTU))))
	}
	return attrs, nil
}

func boolean(v bool) []byte {
	if v {
		return []byte{1}
	}
	return []byte{0}
}

func (o deleteLink) do(h *hand) error {
	s, i, err := h.at(o.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	delete(s.index, o.ID.Name)
	return ignore(s.send(unix.RTM_DELLINK, 0, linkMessage(unix.AF_UNSPEC, i)), unix.ENODEV)
}

// ignore drops an error that says what was to be achieved.
func ignore(err error, done error) error {
	if errors.Is(err, done) {
		return nil
	}
	return err
}

func linkMessage(family, index int) *nl.IfInfomsg {
	m := nl.NewIfInfomsg(family)
	m.Index = int32(index)
	return m
}

func (o setLink) do(h *hand) error {
	s, i, err := h.at(o.ID)
	if err != nil {
		return err
	}
	message := []nl.NetlinkRequestData{linkMessage(unix.AF_UNSPEC, i)}
	add := func(attribute int, value []byte) { message = append(message, nl.NewRtAttr(attribute, value)) }
	if mac, ok := o.mac(); ok {
		add(unix.IFLA_ADDRESS, mac[:])
	}
	if mtu, ok := o.mtu(); ok {
		add(unix.IFLA_MTU, nl.Uint32Attr(uint32(mtu)))
	}
	if o.Have.Alias != o.Want.Alias {
		add(unix.IFLA_IFALIAS, []byte(o.Want.Alias))
		if o.ID.NS == Host && o.Want.isMarked(o.ID) {
			add(unix.IFLA_GROUP, nl.Uint32Attr(0)) // halfMade no more
		}
	}
	if o.Have.Master != o.Want.Master {
		master := 0
		if o.Want.Master != "" {
			if master, err = s.link(o.Want.Master); err != nil {
				return err
			}
		}
		add(unix.IFLA_MASTER, nl.Uint32Attr(uint32(master)))
	}
	if o.Have.NoARP != o.Want.NoARP {
		m := linkMessage(unix.AF_UNSPEC, i)
		m.Change = unix.IFF_NOARP
		if o.Want.NoARP {
			m.Flags = unix.IFF_NOARP
		}
		message[0] = m
	}
	if _, ok := o.addrGenMode(); ok {
		message = append(message, addrGenMode(o.Want.NoLinkLocal))
	}
	return s.send(unix.RTM_NEWLINK, 0, message...)
}

// How the kernel makes a link's own link-local address (linux/if_link.h, enum in6_addr_gen_mode).
const (
	addrGenModeEUI64 = 0
	addrGenModeNone  = 1
)

func addrGenMode(none bool) *nl.RtAttr {
	mode := byte(addrGenModeEUI64)
	if none {
		mode = addrGenModeNone
	}
	spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	spec.AddRtAttr(unix.AF_INET6, nil).AddRtAttr(unix.IFLA_INET6_ADDR_GEN_MODE, []byte{mode})
	return spec
}

func (o setBridgePort) do(h *hand) error {
	s, i, err := h.at(o.ID)
	if err != nil {
		return err
	}
	f := o.Flags
	port := nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, nil)
	port.AddRtAttr(nl.IFLA_BRPORT_LEARNING, boolean(f.Learning))
	port.AddRtAttr(nl.IFLA_BRPORT_UNICAST_FLOOD, boolean(f.Flood))
	port.AddRtAttr(nl.IFLA_BRPORT_MCAST_FLOOD, boolean(f.Broadcast))
	port.AddRtAttr(nl.IFLA_BRPORT_BCAST_FLOOD, boolean(f.Broadcast))
	port.AddRtAttr(nl.IFLA_BRPORT_NEIGH_SUPPRESS, boolean(f.Suppress))
	port.AddRtAttr(nl.IFLA_BRPORT_ISOLATED, boolean(f.Isolated))
	return s.send(unix.RTM_SETLINK, 0, linkMessage(unix.AF_BRIDGE, i), port)
}

func (o resetBridgePort) do(h *hand) error {
	s, i, err := h.at(o.ID)
	if err != nil {
		return err
	}
	port := nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, nil)
	for _, flag := range oddPortFlags {
		port.AddRtAttr(flag, boolean(false))
	}
	if err := s.send(unix.RTM_SETLINK, 0, linkMessage(unix.AF_BRIDGE, i), port); err != nil {
		return err
	}
	state := nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, nil)
	state.AddRtAttr(nl.IFLA_BRPORT_STATE, []byte{portForwarding})
	// Without carrier it is disabled, and forwards as soon as it has.
	return ignore(s.send(unix.RTM_SETLINK, 0, linkMessage(unix.AF_BRIDGE, i), state), unix.ENETDOWN)
}

// oddPortFlags are those that Weft's ports never have.
var oddPortFlags = []int{
	nl.IFLA_BRPORT_MODE, nl.IFLA_BRPORT_GUARD, nl.IFLA_BRPORT_PROTECT, brportLocked,
}

const (
	brportLocked   = 39 // IFLA_BRPORT_LOCKED (linux/if_link.h)
	portForwarding = 3  // BR_STATE_FORWARDING (linux/if_bridge.h)
)

func (o resetBridge) do(h *hand) error {
	s, i, err := h.at(o.ID)
	if err != nil {
		return err
	}
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated(string(KindBridge)))
	data := info.AddRtAttr(nl.IFLA_INFO_DATA, nil)
	if o.Have.STP {
		data.AddRtAttr(nl.IFLA_BR_STP_STATE, nl.Uint32Attr(0))
	}
	if o.Have.VLANs {
		data.AddRtAttr(nl.IFLA_BR_VLAN_FILTERING, nl.Uint8Attr(0))
	}
	if o.Have.Snooping {
		data.AddRtAttr(nl.IFLA_BR_MCAST_SNOOPING, nl.Uint8Attr(0))
	}
	if o.Have.Ageing != o.Want.Ageing {
		data.AddRtAttr(nl.IFLA_BR_AGEING_TIME, nl.Uint32Attr(uint32(100*o.Want.Ageing)))
	}
	return s.send(unix.RTM_NEWLINK, 0, linkMessage(unix.AF_UNSPEC, i), info)
}

func (o setUp) do(h *hand) error {
	s, i, err := h.at(o.ID)
	if err != nil {
		return err
	}
	m := linkMessage(unix.AF_UNSPEC, i)
	m.Change = unix.IFF_UP
	if o.Up {
		m.Flags = unix.IFF_UP
	}
	return s.send(unix.RTM_NEWLINK, 0, m)
}

func (o setSysctl) do(h *hand) error {
	return netns.Do(h.path(o.ID.NS), func() error {
		return os.WriteFile("/proc/sys/"+strings.TrimPrefix(o.ID.Name, "/"), []byte(o.Value), 0)
	})
}
