package linux

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/vishvananda/netlink"
	vns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"weft/dataplane/dataplanetest"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// node is a host in a namespace, and around it two more: the underlay, of which one
// veth leads to the host, and one in which the far ends of the ports lie.
type node struct {
	host, wires, underlay string // namespaces
	netnsDir              string
	// mac is that of the host's underlay device.
	mac net.HardwareAddr
}

const underlayDevice = "eth0"

func newNode(t testing.TB) *node {
	n := &node{
		host: testenv.Namespace(t), wires: testenv.Namespace(t), underlay: testenv.Namespace(t),
		netnsDir: filepath.Join(t.TempDir(), "netns"),
	}
	for _, ns := range []string{n.wires, n.underlay} {
		// We are all that lives there: the kernel is to say nothing.
		setSysctls(t, ns, map[string]string{
			"net/ipv6/conf/all/disable_ipv6": "1", "net/ipv6/conf/default/disable_ipv6": "1",
		})
	}
	ip := func(ns string, args ...string) { testenv.Run(t, ns, append([]string{"ip"}, args...)...) }
	ip(n.host, "link", "set", "lo", "up")
	ip(n.underlay, "link", "add", "far", "type", "veth", "peer", "name", underlayDevice, "netns", n.host)
	ip(n.underlay, "link", "set", "far", "up", "arp", "off")
	ip(n.wires, "link", "add", "marker0", "type", "veth", "peer", "name", "marker1")
	ip(n.wires, "link", "set", "marker0", "up", "arp", "off")
	ip(n.wires, "link", "set", "marker1", "up", "arp", "off")
	// Nobody behind this veth fills in a checksum that was left to hardware.
	testenv.Run(t, n.host, "ethtool", "-K", underlayDevice, "tx", "off")
	for _, f := range []overlay.Family{overlay.V4, overlay.V6} {
		ip(n.host, "address", "add", dataplanetest.Local(f).String(), "dev", underlayDevice, "nodad")
	}
	ip(n.host, "link", "set", underlayDevice, "up", "mtu", fmt.Sprint(dataplanetest.UnderlayMTU))
	n.neighbors(t)
	t.Cleanup(func() { n.deleteDomains(t) })
	return n
}

// nodes is how many other nodes the underlay has.
const nodes = 9

// macOf is the MAC of the nth node's underlay device.
func macOf(n byte) net.HardwareAddr { return net.HardwareAddr{0x02, 0x75, 0, 0, 0, n} }

// neighbors tells the host the MACs of the other nodes: nobody answers ARP.
func (n *node) neighbors(t testing.TB) {
	n.in(t, n.host, func(h *netlink.Handle) error {
		link, err := h.LinkByName(underlayDevice)
		if err != nil {
			return err
		}
		n.mac = link.Attrs().HardwareAddr
		for i := byte(2); i < nodes; i++ {
			for _, f := range []overlay.Family{overlay.V4, overlay.V6} {
				entry := &netlink.Neigh{
					LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT,
					IP: nthNode(f, i).AsSlice(), HardwareAddr: macOf(i),
				}
				if err := h.NeighSet(entry); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// nthNode is the nth node's underlay address.
func nthNode(f overlay.Family, n byte) netip.Addr {
	b := dataplanetest.Local(f).Addr().AsSlice()
	b[len(b)-1] = n
	a, _ := netip.AddrFromSlice(b)
	return a
}

// in runs f with netlink in a namespace.
func (n *node) in(t testing.TB, ns string, f func(*netlink.Handle) error) {
	t.Helper()
	if err := n.try(ns, f); err != nil {
		t.Fatal(err)
	}
}

func (n *node) try(ns string, f func(*netlink.Handle) error) error {
	at, err := vns.GetFromPath(ns)
	if err != nil {
		return fmt.Errorf("open namespace %s: %w", ns, err)
	}
	defer at.Close()
	h, err := netlink.NewHandleAt(at, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink in %s: %w", ns, err)
	}
	defer h.Close()
	return f(h)
}

// open is the wire at a device's other end, in a namespace of ours.
func (n *node) open(t testing.TB, ns, device string) *packetWire {
	t.Helper()
	var index int
	n.in(t, ns, func(h *netlink.Handle) error {
		link, err := h.LinkByName(device)
		if err == nil {
			index = link.Attrs().Index
		}
		return err
	})
	w, err := openPacketWire(ns, index)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// domain is the path of a network's namespace.
func (n *node) domain(name overlay.NetworkName) string {
	return filepath.Join(n.netnsDir, "weft-"+string(name))
}

// deleteDomains removes what the plane left forwarding.
func (n *node) deleteDomains(t testing.TB) {
	names, err := netns.List(n.netnsDir)
	if err != nil {
		t.Error(err)
	}
	for _, name := range names {
		if err := netns.Delete(filepath.Join(n.netnsDir, name)); err != nil {
			t.Error(err)
		}
	}
}

func setSysctls(t testing.TB, ns string, values map[string]string) {
	t.Helper()
	if err := trySysctls(ns, values); err != nil {
		t.Fatal(err)
	}
}

func trySysctls(ns string, values map[string]string) error {
	return netns.Do(ns, func() error {
		var errs []error
		for name, value := range values {
			errs = append(errs, os.WriteFile("/proc/sys/"+name, []byte(value), 0))
		}
		return errors.Join(errs...)
	})
}
