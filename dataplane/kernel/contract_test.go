package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/dataplane/kernel"
	"weft/overlay"
	"weft/packet"
)

// harness is the kernel plane on a node whose ports and underlay we hold. Single
// ports are attached as kind says.
type harness struct {
	*node
	*pump
	kind     overlay.AttachType
	plane    *kernel.Plane
	underlay wire
	ports    map[dataplanetest.Place]*port
}

// port is the far end of a port.
type port struct {
	device string // its name
	wire   wire   // nil until it is attached
}

func newHarness(t testing.TB, kind overlay.AttachType) *harness {
	n := newNode(t)
	plane, err := kernel.New(kernel.Options{NetnsDir: n.netnsDir, StateDir: t.TempDir(), Host: n.host})
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{
		node: n, kind: kind, plane: plane, ports: map[dataplanetest.Place]*port{},
		underlay: n.open(t, n.underlay, "far"),
		pump:     newPump(n.open(t, n.wires, "marker0"), n.open(t, n.wires, "marker1")),
	}
	t.Cleanup(func() {
		h.pump.Close()
		errs := []error{plane.Close()}
		for _, p := range h.ports {
			errs = append(errs, p.close())
		}
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (p *port) close() error {
	if p.wire == nil {
		return nil
	}
	return p.wire.Close()
}

// Apply implements dataplanetest.Harness.
func (h *harness) Apply(want dataplane.State, since *dataplane.Delta) error {
	want, since = dataplanetest.Placed(want, since, h.place)
	if err := h.makeBridges(want); err != nil {
		return err
	}
	if err := h.plane.Apply(context.Background(), want, since); err != nil {
		return err
	}
	for name, n := range want.Networks {
		if err := h.unlimit(name); err != nil {
			return err
		}
		for _, p := range n.Ports {
			if err := h.attach(name, p); err != nil {
				return fmt.Errorf("attach to %s/%s: %w", name, p.Name, err)
			}
		}
	}
	return nil
}

// place says where a port's far end is.
func (h *harness) place(name overlay.NetworkName, p dataplane.Port) dataplane.Port {
	at := dataplanetest.Place{Network: name, Port: p.Name}
	far := h.ports[at]
	if far == nil {
		far = &port{device: fmt.Sprintf("far%d", len(h.ports))}
		h.ports[at] = far
	}
	p.Attach = overlay.Attach{Type: h.kind, Target: far.device}
	if p.Kind == overlay.PortSegment {
		p.Attach = overlay.Attach{Type: overlay.AttachBridge, Target: bridgeOf(far)}
	}
	return p
}

// The bridge that a segment port joins, and its port to the wire.
func bridgeOf(p *port) string { return "br" + p.device }
func nearOf(p *port) string   { return "n" + p.device }

// makeBridges makes the bridges of others that segment ports join: hubs, which
// learn nothing for longer than no time.
func (h *harness) makeBridges(s dataplane.State) error {
	for name, n := range s.Networks {
		for _, p := range n.Ports {
			if p.Kind != overlay.PortSegment {
				continue
			}
			if err := h.makeBridge(h.ports[dataplanetest.Place{Network: name, Port: p.Name}]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *harness) makeBridge(p *port) error {
	return h.try(h.host, func(nl *netlink.Handle) error {
		if _, err := nl.LinkByName(bridgeOf(p)); err == nil {
			return nil
		}
		never, no := uint32(0), false
		bridge := &netlink.Bridge{
			LinkAttrs: netlink.LinkAttrs{Name: bridgeOf(p)}, AgeingTime: &never, MulticastSnooping: &no,
		}
		if err := nl.LinkAdd(bridge); err != nil {
			return fmt.Errorf("add bridge: %w", err)
		}
		near := nearOf(p)
		veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: p.device}, PeerName: near}
		if err := nl.LinkAdd(veth); err != nil {
			return fmt.Errorf("add veth: %w", err)
		}
		end, err := nl.LinkByName(near)
		if err != nil {
			return err
		}
		err = trySysctls(h.host, map[string]string{
			"net/ipv6/conf/" + near + "/disable_ipv6": "1", "net/ipv6/conf/" + bridgeOf(p) + "/disable_ipv6": "1",
		})
		return errors.Join(err, nl.LinkSetMaster(end, bridge), nl.LinkSetUp(end), nl.LinkSetUp(bridge))
	})
}

// unlimit lets a network's gateway send as many ICMP errors as there is cause for.
func (h *harness) unlimit(name overlay.NetworkName) error {
	return trySysctls(h.domain(name), map[string]string{
		"net/ipv4/icmp_ratemask": "0", "net/ipv6/icmp/ratelimit": "0",
	})
}

// attach opens the far end of a port, if that is a new one.
func (h *harness) attach(name overlay.NetworkName, p dataplane.Port) error {
	far := h.ports[dataplanetest.Place{Network: name, Port: p.Name}]
	if p.Kind == overlay.PortSingle && h.kind == overlay.AttachTap {
		return h.attachTap(name, p, far)
	}
	isNew := false
	err := h.try(h.host, func(nl *netlink.Handle) (err error) {
		isNew, err = h.takeAway(nl, far.device)
		return err
	})
	if err != nil || !isNew {
		return err
	}
	if err := far.close(); err != nil {
		return err
	}
	err = h.try(h.wires, func(nl *netlink.Handle) error {
		index, err := bringUp(nl, far.device)
		if err != nil {
			return err
		}
		far.wire, err = openPacketWire(h.wires, index)
		return err
	})
	if err != nil {
		return err
	}
	if p.Kind == overlay.PortSegment {
		err = errors.Join(h.awaitRunning(h.host, nearOf(far)), h.awaitRunning(h.host, p.Device))
	}
	return errors.Join(err, h.awaitRunning(h.domain(name), p.Device))
}

// takeAway moves a device where the host's own stack does not see what it gets. A
// device that is not there was moved before: moved is false.
func (h *harness) takeAway(nl *netlink.Handle, device string) (moved bool, err error) {
	link, err := nl.LinkByName(device)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	ns, err := os.Open(h.wires)
	if err != nil {
		return false, err
	}
	defer ns.Close()
	return true, nl.LinkSetNsFd(link, int(ns.Fd()))
}

func bringUp(nl *netlink.Handle, device string) (index int, err error) {
	link, err := nl.LinkByName(device)
	if err != nil {
		return 0, err
	}
	// Large enough for what is too large for the network.
	return link.Attrs().Index, errors.Join(nl.LinkSetMTU(link, 9000), nl.LinkSetARPOff(link), nl.LinkSetUp(link))
}

// attachTap opens a port's tap, as a virtual machine does that is started.
func (h *harness) attachTap(name overlay.NetworkName, p dataplane.Port, far *port) error {
	if tap, ok := far.wire.(*tapWire); ok && tap.attached() {
		return nil
	}
	if err := far.close(); err != nil {
		return err
	}
	w, err := openTapWire(h.host, far.device)
	if err != nil {
		return err
	}
	far.wire = w
	// The host's own IPv6 reports its groups on every device, ours too, when it
	// becomes a router; the filter counts that as forged.
	quiet := trySysctls(h.host, map[string]string{
		"net/ipv6/conf/" + far.device + "/disable_ipv6": "1", "net/ipv6/conf/" + p.Device + "/disable_ipv6": "1",
	})
	return errors.Join(quiet, h.awaitRunning(h.host, far.device), h.awaitRunning(h.domain(name), p.Device))
}

// awaitRunning waits until the kernel has noticed that a veth's other end is up;
// asking for the link makes it look (net/core/link_watch.c).
func (h *harness) awaitRunning(ns, device string) error {
	return h.try(ns, func(nl *netlink.Handle) error {
		for deadline := time.Now().Add(5 * time.Second); ; {
			link, err := nl.LinkByName(device)
			if err != nil || link.Attrs().OperState == netlink.OperUp {
				return err
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%s is %s", device, link.Attrs().OperState)
			}
		}
	})
}

// Inject implements dataplanetest.Harness.
func (h *harness) Inject(at dataplanetest.Place, frame []byte) error {
	if at == dataplanetest.Underlay {
		kind := packet.TypeIPv6
		if frame[0]>>4 == 4 {
			kind = packet.TypeIPv4
		}
		eth := packet.Ethernet{Dst: [6]byte(h.mac), Src: [6]byte(macOf(2)), Type: kind}
		return h.inject(h.underlay, append(eth.Append(nil), frame...))
	}
	p := h.ports[at]
	if p == nil || p.wire == nil {
		return fmt.Errorf("inject at %s: there is no such port", at)
	}
	return h.inject(p.wire, frame)
}

// Deliveries implements dataplanetest.Harness.
func (h *harness) Deliveries() ([]dataplanetest.Delivery, error) {
	if err := h.settle(); err != nil {
		return nil, err
	}
	var all []dataplanetest.Delivery
	for at, p := range h.ports {
		if p.wire == nil {
			continue
		}
		frames, err := drain(p.wire)
		if err != nil {
			return nil, fmt.Errorf("read at %s: %w", at, err)
		}
		for _, f := range frames {
			all = append(all, dataplanetest.Delivery{At: at, Bytes: f})
		}
	}
	frames, err := drain(h.underlay)
	if err != nil {
		return nil, fmt.Errorf("read at the underlay: %w", err)
	}
	for _, f := range frames {
		if d, ok := fromUnderlay(f); ok {
			all = append(all, d)
		}
	}
	return all, nil
}

func drain(w wire) ([][]byte, error) {
	var frames [][]byte
	for {
		f, err := w.read()
		if err != nil || f == nil {
			return frames, err
		}
		frames = append(frames, slices.Clone(f))
	}
}

// fromUnderlay is a packet that the host sent to a node; false for what the host says
// for itself.
func fromUnderlay(frame []byte) (dataplanetest.Delivery, bool) {
	eth, body, err := packet.ParseEthernet(frame)
	if err != nil || packet.IsGroup(eth.Dst) {
		return dataplanetest.Delivery{}, false
	}
	f, src, proto := overlay.V4, netip.Addr{}, packet.Protocol(0)
	switch eth.Type {
	case packet.TypeIPv4:
		h, _, _ := packet.ParseIPv4(body)
		src, proto = h.Src, h.Protocol
	case packet.TypeIPv6:
		h, _, _ := packet.ParseIPv6(body)
		f, src, proto = overlay.V6, h.Src, h.NextHeader
	default:
		return dataplanetest.Delivery{}, false
	}
	if src.IsLinkLocalUnicast() || src == dataplanetest.Local(f).Addr() && proto != packet.ProtoUDP {
		return dataplanetest.Delivery{}, false
	}
	via := netip.Addr{}
	if slices.Equal(eth.Dst[:5], macOf(0)[:5]) {
		via = nthNode(f, eth.Dst[5])
	}
	return dataplanetest.Delivery{At: dataplanetest.Underlay, Via: via, Bytes: body}, true
}

// Drops implements dataplanetest.Harness.
func (h *harness) Drops() (map[overlay.DropReason]uint64, error) {
	seen, err := h.plane.Observe(context.Background(), "")
	sum := maps.Clone(seen.Drops)
	if sum == nil {
		sum = map[overlay.DropReason]uint64{}
	}
	for _, n := range seen.Networks {
		for why, count := range n.Drops {
			sum[why] += count
		}
	}
	return sum, err
}

// Untold implements dataplanetest.Harness.
func (h *harness) Untold() []overlay.DropReason {
	told := []overlay.DropReason{
		overlay.DropNotMember, overlay.DropUnknownVNI, overlay.DropSpoofedMAC, overlay.DropSpoofedIP,
	}
	return slices.DeleteFunc(overlay.DropReasons(), func(r overlay.DropReason) bool { return slices.Contains(told, r) })
}

func TestContract(t *testing.T) {
	t.Parallel()
	dataplanetest.Run(t, func(t testing.TB) dataplanetest.Harness { return newHarness(t, overlay.AttachVeth) })
}

// A virtual machine's port is no worse than a container's.
func TestContractOfTaps(t *testing.T) {
	t.Parallel()
	dataplanetest.RunBriefly(t, func(t testing.TB) dataplanetest.Harness { return newHarness(t, overlay.AttachTap) })
}
