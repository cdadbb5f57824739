package kernel

import (
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"weft/internal/nlmsg"
	"weft/overlay"
)

// hostLink is a link as the kernel tells it: a Link, and what refers to other links.
type hostLink struct {
	name  string
	index int
	// lower is the index of a veth's other end, in the namespace that netnsid
	// stands for (-1: the same one).
	lower, netnsid int
	master         int
	hwaddr         overlay.MAC // Link.MAC, also when Weft does not care
	// carrier: the other end is up. running: the kernel has noticed, and sends.
	carrier, running bool
	// noARP: who is behind the link has no MAC, whatever kind of link it is.
	noARP bool
	link  Link
	// flags are those of a bridge's port, when only they were told.
	flags BridgePort
	// outerDevice is the number of Outer.Device, in the namespace of the underlay.
	outerDevice int
	// group is the link's (IFLA_GROUP).
	group int
}

// links calls f with every link in the namespace.
func (s *space) links(f func(hostLink)) error {
	return s.dump(unix.RTM_GETLINK, func(m []byte) { f(parseLink(m)) }, nl.NewIfInfomsg(unix.AF_UNSPEC), skipStatistics())
}

// named is the link with a name; false if there is none.
func (s *space) named(name string) (hostLink, bool, error) {
	var found hostLink
	err := s.get(unix.RTM_GETLINK, func(m []byte) { found = parseLink(m) },
		nl.NewIfInfomsg(unix.AF_UNSPEC), nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)), skipStatistics())
	err = ignore(err, unix.ENODEV)
	return found, found.index != 0, err
}

// skipStatistics leaves counters out of the answers (RTEXT_FILTER_SKIP_STATS).
func skipStatistics() *nl.RtAttr { return nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(1<<3)) }

func parseLink(m []byte) hostLink {
	if len(m) < unix.SizeofIfInfomsg {
		return hostLink{}
	}
	h := nl.DeserializeIfInfomsg(m)
	l := hostLink{index: int(h.Index), netnsid: -1}
	l.link.Up = h.Flags&unix.IFF_UP != 0
	l.carrier, l.running = h.Flags&unix.IFF_LOWER_UP != 0, h.Flags&unix.IFF_RUNNING != 0
	if h.Type == unix.ARPHRD_LOOPBACK {
		l.link.Kind = KindLoopback
	}
	nlmsg.Attributes(m[unix.SizeofIfInfomsg:], func(kind uint16, v []byte) {
		switch kind {
		case unix.IFLA_IFNAME:
			l.name = nlmsg.Text(v)
		case unix.IFLA_ADDRESS:
			l.hwaddr = mac(v)
			l.link.MAC = l.hwaddr
		case unix.IFLA_MTU:
			l.link.MTU = number(v)
		case unix.IFLA_IFALIAS:
			l.link.Alias = nlmsg.Text(v)
		case unix.IFLA_MASTER:
			l.master = number(v)
		case unix.IFLA_LINK:
			l.lower = number(v)
		case unix.IFLA_LINK_NETNSID:
			l.netnsid = number(v)
		case unix.IFLA_GROUP:
			l.group = number(v)
		case unix.IFLA_LINKINFO:
			l.parseInfo(v)
		case unix.IFLA_PROTINFO:
			l.flags = parseBridgePort(v, l.running)
		case unix.IFLA_AF_SPEC:
			l.parseFamilies(v)
		}
	})
	l.noARP = h.Flags&unix.IFF_NOARP != 0
	l.link.NoARP = l.link.Kind == KindVeth && l.noARP
	if l.link.Kind == KindTun && h.Type == unix.ARPHRD_ETHER { // one kind for both
		l.link.Kind = KindTap
	}
	return l
}

// parseFamilies reads what is IPv6's of a link. One whose MTU is too small for IPv6
// (RFC 8200 section 5) has nothing of it.
func (l *hostLink) parseFamilies(spec []byte) {
	l.link.NoLinkLocal, l.link.NoIPv6 = true, true
	nlmsg.Attributes(spec, func(family uint16, v []byte) {
		if family != unix.AF_INET6 {
			return
		}
		nlmsg.Attributes(v, func(kind uint16, v []byte) {
			switch kind {
			case unix.IFLA_INET6_ADDR_GEN_MODE:
				l.link.NoLinkLocal = number(v) == addrGenModeNone
			case unix.IFLA_INET6_CONF:
				const at = 4 * devconfDisableIPv6
				l.link.NoIPv6 = len(v) >= at+4 && number(v[at:at+4]) != 0
			}
		})
	})
}

// devconfDisableIPv6 is the place of disable_ipv6 among a link's settings
// (linux/ipv6.h, DEVCONF_DISABLE_IPV6).
const devconfDisableIPv6 = 26

func (l *hostLink) parseInfo(info []byte) {
	var kind, slave string
	var data, slaveData []byte
	nlmsg.Attributes(info, func(a uint16, v []byte) {
		switch a {
		case nl.IFLA_INFO_KIND:
			kind = nlmsg.Text(v)
		case nl.IFLA_INFO_DATA:
			data = v
		case nl.IFLA_INFO_SLAVE_KIND:
			slave = nlmsg.Text(v)
		case nl.IFLA_INFO_SLAVE_DATA:
			slaveData = v
		}
	})
	l.link.Kind = LinkKind(kind)
	switch l.link.Kind {
	case KindBridge:
		l.parseBridge(data)
	}
	if k, ok := tunnelKinds[l.link.Kind]; ok {
		l.link.Outer, l.outerDevice = k.parse(data)
	}
	if slave == string(KindBridge) {
		l.link.Port = parseBridgePort(slaveData, l.running)
	}
}

func (l *hostLink) parseBridge(data []byte) {
	nlmsg.Attributes(data, func(kind uint16, v []byte) {
		switch kind {
		case nl.IFLA_BR_STP_STATE:
			l.link.Bridge.STP = number(v) != 0
		case nl.IFLA_BR_VLAN_FILTERING:
			l.link.Bridge.VLANs = number(v) != 0
		case nl.IFLA_BR_MCAST_SNOOPING:
			l.link.Bridge.Snooping = number(v) != 0
		case nl.IFLA_BR_AGEING_TIME:
			l.link.Bridge.Ageing = number(v) / 100 // USER_HZ
		}
	})
}

// parseBridgePort reads the flags of a port; running says that it should forward.
func parseBridgePort(data []byte, running bool) BridgePort {
	p := BridgePort{Owned: true}
	multicast, broadcast := false, false
	nlmsg.Attributes(data, func(kind uint16, v []byte) {
		on := number(v) != 0
		switch kind {
		case nl.IFLA_BRPORT_LEARNING:
			p.Learning = on
		case nl.IFLA_BRPORT_UNICAST_FLOOD:
			p.Flood = on
		case nl.IFLA_BRPORT_MCAST_FLOOD:
			multicast = on
		case nl.IFLA_BRPORT_BCAST_FLOOD:
			broadcast = on
		case nl.IFLA_BRPORT_NEIGH_SUPPRESS:
			p.Suppress = on
		case nl.IFLA_BRPORT_ISOLATED:
			p.Isolated = on
		case nl.IFLA_BRPORT_STATE:
			p.Odd = p.Odd || running && v[0] != portForwarding
		default:
			p.Odd = p.Odd || on && slices.Contains(oddPortFlags, int(kind))
		}
	})
	p.Broadcast = multicast && broadcast
	// One without the other is neither: it must not look like wanted flags.
	p.Owned = multicast == broadcast
	return p
}
