package matrix

import (
	"errors"
	"net/netip"
	"os"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/overlay"
	"weft/packet"
	"weft/trace"
)

// column is something that passes between the two ends of a row, or has to be refused.
type column struct {
	name string
	hold func(x *exam, t *testing.T, want outcome)
	// made: it is about packets that are made for it.
	made bool
}

// Those that others speak of.
const (
	columnMulticast = "224.0.0.5"
	columnBroadcast = "broadcast"
)

var columns = []column{
	{"IPv4", func(x *exam, t *testing.T, want outcome) { x.family(t, v4, want) }, false},
	{"IPv6", func(x *exam, t *testing.T, want outcome) { x.family(t, v6, want) }, false},
	{"TCP", (*exam).tcp, false},
	{"largest", (*exam).largest, false},
	{"larger", (*exam).larger, false},
	{columnMulticast, (*exam).multicast, false},
	{columnBroadcast, (*exam).toAll, false},
	{"wrong key", (*exam).wrongKey, true},
	{"stranger", (*exam).stranger, true},
	{"checksum", (*exam).wrongChecksum, true},
	{"late", (*exam).late, true},
}

// family: pings of one either way, or it is refused.
func (x *exam) family(t *testing.T, f overlay.Family, want outcome) {
	if want.verdict == refused {
		x.dropped(t, want, func() { check(t, x.sendRaw(f)) })
		if want == sentAsIPIP {
			x.until(t, func(f trace.Frame) bool {
				ip, _, err := packet.ParseIPv4(f.Data[packet.EthernetLen:])
				return err == nil && ip.Protocol == packet.ProtoIPv4
			})
		}
		return
	}
	x.answered(t, largest, f, echo{to: x.address(far, f), size: small})
}

// sendRaw has the near end send packets of a family for which there may be no address, to the gateway
// if there is one.
func (x *exam) sendRaw(f overlay.Family) error {
	ends := packet.Ends{SrcMAC: x.mac(near), Src: x.address(near, f), Dst: x.address(far, f)}
	to := &unix.SockaddrLinklayer{Protocol: 0x0008} // in network order
	if f == v6 {
		to.Protocol = 0xdd86
	}
	if x.form != alone {
		ends.DstMAC = x.networkVNI().GatewayMAC()
	}
	frame := ends.EchoRequest(pingID, 1, make([]byte, 40))
	return netns.Do(x.end(), func() (err error) {
		link, err := netlink.LinkByName(x.device())
		if err != nil {
			return err
		}
		if link.Attrs().EncapType != "ether" {
			frame = frame[packet.EthernetLen:]
		}
		to.Ifindex = link.Attrs().Index
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		defer func() { err = errors.Join(err, os.NewSyscallError("close", unix.Close(fd))) }()
		for range several {
			err = errors.Join(err, os.NewSyscallError("sendto", unix.Sendto(fd, frame, 0, to)))
		}
		return err
	})
}

// tcp: either way, in pieces that are cut behind the near end's device, if the outcome does not say
// otherwise.
func (x *exam) tcp(t *testing.T, want outcome) {
	for _, f := range x.inside() {
		whole, err := transfer(x.end(), x.device(), x.address(far, f))
		if err != nil {
			t.Error(err)
		}
		if whole != (want == good) {
			t.Errorf("over %s: the device sends packets that are cut behind it: %v, and %s", f, whole, want)
		}
	}
}

// largest: the largest packets, which nobody may take to pieces, either way.
func (x *exam) largest(t *testing.T, _ outcome) {
	for _, f := range x.inside() {
		size := x.mtu
		if x.option == limited {
			size -= limitLen // the answer has to fit
		}
		x.answered(t, largest, f, echo{to: x.address(far, f), size: size})
	}
}

// larger: one byte more is answered by an ICMP error that says how much would fit: a network's
// endpoint, whose device takes more, is told by the network, and a host behind the tunnel's by that.
func (x *exam) larger(t *testing.T, want outcome) {
	from := x.behind
	if x.form != alone {
		from = x.weft.workload
		check(t, setMTU(from, x.device(), underlayMTU))
		defer func() { check(t, setMTU(from, x.device(), x.mtuAt(t, near))) }()
	}
	mtu := x.room
	if x.form == inBridged && x.ebpf() {
		mtu = x.mtu // the network's
	}
	for _, f := range x.inside() {
		e := echo{to: x.address(far, f), size: x.room + 1}
		if want.verdict == fails && f == v4 {
			if err := e.askFor(from, 2*again); !errors.Is(err, errUnanswered) {
				t.Errorf("a packet of %d bytes: %v, and it %s", e.size, err, want)
			}
			continue
		}
		var told tooBig
		if err := e.ask(from); !errors.As(err, &told) || told.mtu != mtu {
			t.Errorf("a packet of %d bytes over %s: %v, want an MTU of %d", e.size, f, err, mtu)
		}
	}
}

func setMTU(ns, device string, mtu int) error {
	return netns.Do(ns, func() error {
		link, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		return netlink.LinkSetMTU(link, mtu)
	})
}

// allRouters are those of OSPF (RFC 2328 appendix A.1, RFC 5340 appendix A.1).
var allRouters = map[overlay.Family]netip.Addr{v4: netip.MustParseAddr("224.0.0.5"), v6: netip.MustParseAddr("ff02::5")}

// groupOf is that of OSPF's routers, or, in IPv6, that of all nodes, which every host is among.
func groupOf(f overlay.Family) netip.Addr {
	if f == v6 {
		return netip.MustParseAddr("ff02::1")
	}
	return allRouters[f]
}

// multicast: what goes to a group is answered by the other end, either way.
func (x *exam) multicast(t *testing.T, want outcome) {
	for _, f := range x.inside() {
		if want.verdict == passes {
			x.answered(t, routers, f, echo{to: groupOf(f), device: x.device(), size: small})
			continue
		}
		x.dropped(t, want, func() { x.send(t, allRouters[f]) })
	}
}

// toAll: likewise of the subnet's broadcast address.
func (x *exam) toAll(t *testing.T, want outcome) {
	if want.verdict == passes {
		x.answered(t, everybody, v4, echo{to: x.broadcast(), size: small})
		return
	}
	x.dropped(t, want, func() { x.send(t, x.broadcast()) })
}

// protocolOSPF is its number (RFC 2328 appendix A.1).
const protocolOSPF = 89

// send sends packets as OSPF's that should get nowhere. (A ping to a group may be the gateway's to
// answer.)
func (x *exam) send(t *testing.T, to netip.Addr) {
	t.Helper()
	domain, at := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: to.As16()})
	if to.Is4() {
		domain, at = unix.AF_INET, &unix.SockaddrInet4{Addr: to.As4()}
	}
	check(t, netns.Do(x.end(), func() (err error) {
		fd, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocolOSPF)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		defer func() { err = errors.Join(err, os.NewSyscallError("close", unix.Close(fd))) }()
		err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1), unix.BindToDevice(fd, x.device()))
		for range several {
			err = errors.Join(err, os.NewSyscallError("sendto", unix.Sendto(fd, make([]byte, 44), 0, at)))
		}
		return err
	}))
}
