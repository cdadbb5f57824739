package kernel

import (
	"encoding/binary"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"weft/internal/nlmsg"
	"weft/overlay"
)

func number(b []byte) int {
	switch len(b) {
	case 1:
		return int(b[0])
	case 2:
		return int(binary.NativeEndian.Uint16(b))
	case 4:
		return int(binary.NativeEndian.Uint32(b))
	}
	return 0
}

func address(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b) // zero when it is none
	return a
}

func mac(b []byte) (m overlay.MAC) {
	if len(b) == len(m) {
		copy(m[:], b)
	}
	return m
}

// fdbEntry is an FDB or neighbour entry as the kernel tells it.
type fdbEntry struct {
	family uint8
	link   int
	state  uint16
	flags  uint8
	mac    overlay.MAC
	ip     netip.Addr // of an FDB entry, the VTEP
	master int        // the bridge whose entry it is; 0: the link's own
	// override is set if a vxlan entry has a port, VNI or device of its own.
	override bool
	vlan     bool
	// used and updated are times ago, in 1/100 s.
	used, updated uint32
}

// sizeofNdmsg is the size of struct ndmsg (linux/neighbour.h), in bytes.
const sizeofNdmsg = 12

// vtep is where a vxlan entry leads; zero if it leads there in some unusual way.
func (e fdbEntry) vtep() netip.Addr {
	if e.override {
		return netip.Addr{}
	}
	return e.ip
}

func parseEntry(m []byte) fdbEntry {
	if len(m) < sizeofNdmsg {
		return fdbEntry{}
	}
	e := fdbEntry{
		family: m[0], link: number(m[4:8]), state: binary.NativeEndian.Uint16(m[8:]), flags: m[10],
	}
	nlmsg.Attributes(m[sizeofNdmsg:], func(kind uint16, v []byte) {
		switch int(kind) {
		case netlink.NDA_DST:
			e.ip = address(v)
		case netlink.NDA_LLADDR:
			e.mac = mac(v)
		case netlink.NDA_MASTER:
			e.master = number(v)
		case netlink.NDA_PORT, netlink.NDA_VNI, netlink.NDA_IFINDEX:
			e.override = true
		case netlink.NDA_VLAN:
			e.vlan = true
		case netlink.NDA_CACHEINFO:
			// struct nda_cacheinfo: confirmed, used, updated, refcnt.
			e.used, e.updated = uint32(number(v[4:8])), uint32(number(v[8:12]))
		}
	})
	return e
}

// entries calls f with every FDB (AF_BRIDGE) or neighbour entry of a family.
func (s *space) entries(family uint8, f func(fdbEntry)) error {
	return s.dump(unix.RTM_GETNEIGH, func(m []byte) { f(parseEntry(m)) }, &netlink.Ndmsg{Family: family})
}

// hostAddress is an address of a link.
type hostAddress struct {
	link   int
	prefix netip.Prefix
}

// addresses calls f with every address in the namespace.
func (s *space) addresses(f func(hostAddress)) error {
	return s.dump(unix.RTM_GETADDR, func(m []byte) { f(parseAddress(m)) }, nl.NewIfAddrmsg(unix.AF_UNSPEC))
}

func parseAddress(m []byte) hostAddress {
	if len(m) < unix.SizeofIfAddrmsg {
		return hostAddress{}
	}
	var local, peer netip.Addr
	nlmsg.Attributes(m[unix.SizeofIfAddrmsg:], func(kind uint16, v []byte) {
		switch kind {
		case unix.IFA_LOCAL:
			local = address(v)
		case unix.IFA_ADDRESS:
			peer = address(v)
		}
	})
	if !local.IsValid() {
		local = peer // IPv6 has only that one
	}
	return hostAddress{link: number(m[4:8]), prefix: netip.PrefixFrom(local, int(m[1]))}
}

// hostRoute is a route as the kernel tells it.
type hostRoute struct {
	table  int
	kind   uint8
	link   int
	prefix netip.Prefix
	metric int
	mtu    int
	via    netip.Addr
	source netip.Addr
	onlink bool
	proto  int
}

// routes calls f with every route in the namespace, of a link if that is not 0.
func (s *space) routes(link int, f func(hostRoute)) error {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		m := &nl.RtMsg{RtMsg: unix.RtMsg{Family: family}}
		data := []nl.NetlinkRequestData{m}
		if link != 0 {
			data = append(data, nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(link))))
		}
		if err := s.dump(unix.RTM_GETROUTE, func(m []byte) { f(parseRoute(m)) }, data...); err != nil {
			return err
		}
	}
	return nil
}

// defaultMetric6 is what the kernel gives an IPv6 route without metric (IP6_RT_PRIO_USER).
const defaultMetric6 = 1024

func parseRoute(m []byte) hostRoute {
	if len(m) < unix.SizeofRtMsg {
		return hostRoute{}
	}
	r := hostRoute{
		table: int(m[4]), proto: int(m[5]), kind: m[7],
		onlink: binary.NativeEndian.Uint32(m[8:])&unix.RTNH_F_ONLINK != 0,
	}
	dst := netip.IPv4Unspecified()
	if m[0] == unix.AF_INET6 {
		dst = netip.IPv6Unspecified()
	}
	nlmsg.Attributes(m[unix.SizeofRtMsg:], func(kind uint16, v []byte) {
		switch kind {
		case unix.RTA_DST:
			dst = address(v)
		case unix.RTA_TABLE:
			r.table = number(v)
		case unix.RTA_OIF:
			r.link = number(v)
		case unix.RTA_GATEWAY:
			r.via = address(v)
		case unix.RTA_PREFSRC:
			r.source = address(v)
		case unix.RTA_PRIORITY:
			r.metric = number(v)
		case unix.RTA_METRICS:
			nlmsg.Attributes(v, func(kind uint16, v []byte) {
				if kind == unix.RTAX_MTU {
					r.mtu = number(v)
				}
			})
		}
	})
	if dst.Is6() && r.metric == defaultMetric6 {
		r.metric = 0
	}
	r.prefix = netip.PrefixFrom(dst, int(m[1]))
	return r
}
