package linux

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"weft/dataplane/dataplanetest"
	"weft/overlay"
	"weft/packet"
)

// Inject implements dataplanetest.Harness.
func (h *Harness) Inject(at dataplanetest.Place, frame []byte) error {
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
func (h *Harness) Deliveries() ([]dataplanetest.Delivery, error) {
	if err := h.settleAll(); err != nil {
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

// settleAll waits until nothing is on its way any more. A packet may go through the hands of
// the plane's process twice: it comes in, and goes on to another node.
func (h *Harness) settleAll() error {
	if err := h.settle(); err != nil || h.subject.Drain == nil {
		return err
	}
	for range 2 {
		if err := errors.Join(h.subject.Drain(), h.settle()); err != nil {
			return err
		}
	}
	return nil
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
	icmp := proto == packet.ProtoICMP || proto == packet.ProtoICMPv6
	if src.IsLinkLocalUnicast() || src == dataplanetest.Local(f).Addr() && icmp {
		return dataplanetest.Delivery{}, false
	}
	via := netip.Addr{}
	if slices.Equal(eth.Dst[:5], macOf(0)[:5]) {
		via = nthNode(f, eth.Dst[5])
	}
	return dataplanetest.Delivery{At: dataplanetest.Underlay, Via: via, Bytes: body}, true
}
