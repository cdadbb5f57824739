package linux

import (
	"encoding/binary"
	"os"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weft/packet"
)

// Interface is one of the host's own, as a program with a packet socket on it has it.
type Interface struct {
	*Harness
	wire *packetWire
	// bare: there is no Ethernet header in what it has.
	bare  bool
	index int
}

// Interface opens one of the host's interfaces until the test ends.
func (h *Harness) Interface(t testing.TB, device string) *Interface {
	t.Helper()
	i := &Interface{Harness: h, wire: h.open(t, h.host, device)}
	h.in(t, h.host, func(n *netlink.Handle) error {
		link, err := n.LinkByName(device)
		if err == nil {
			i.bare, i.index = link.Attrs().EncapType != "ether", link.Attrs().Index
		}
		return err
	})
	return i
}

// Send has the host send a frame by the interface.
func (i *Interface) Send(frame []byte) error {
	if !i.bare {
		return i.inject(i.wire, frame)
	}
	to := &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16(frame[packet.EthernetLen-2:]), Ifindex: i.index}
	return i.do(func() error {
		return os.NewSyscallError("sendto", unix.Sendto(i.wire.fd, frame[packet.EthernetLen:], 0, to))
	})
}

// Packets are the IP packets that have come in by it, of all that was injected.
func (i *Interface) Packets() (all [][]byte, err error) {
	if err := i.settleAll(); err != nil {
		return nil, err
	}
	frames, err := drain(i.wire)
	for _, f := range frames {
		if !i.bare {
			f = f[packet.EthernetLen:]
		}
		all = append(all, f)
	}
	return all, err
}
