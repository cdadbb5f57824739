package linux

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"weft/dataplane/dataplanetest"
	"weft/packet"
)

// struct virtio_net_hdr (linux/virtio_net.h).
const (
	vnetNeedsChecksum = 1
	vnetTCPv4         = 1
	vnetTCPv6         = 4
	vnetUDP           = 5 // VIRTIO_NET_HDR_GSO_UDP_L4
)

var _ dataplanetest.Segmenter = (*Harness)(nil)

// InjectLarge implements dataplanetest.Segmenter.
func (h *Harness) InjectLarge(at dataplanetest.Place, frame []byte, segment int) error {
	p := h.ports[at]
	if p == nil {
		return fmt.Errorf("inject at %s: there is no such port", at)
	}
	w, ok := p.wire.(*packetWire)
	if !ok {
		return fmt.Errorf("inject at %s: only a veth takes large frames", at)
	}
	message, err := asLarge(frame, segment)
	if err != nil {
		return fmt.Errorf("inject at %s: %w", at, err)
	}
	return h.do(func() error { return w.writeLarge(message) })
}

// writeLarge writes a frame behind a virtio header; others are written without one.
func (w *packetWire) writeLarge(message []byte) error {
	err := unix.SetsockoptInt(w.fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1)
	if err != nil {
		return os.NewSyscallError("setsockopt PACKET_VNET_HDR", err)
	}
	if err := w.write(message); err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt PACKET_VNET_HDR", unix.SetsockoptInt(w.fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 0))
}

// asLarge puts a virtio header in front of a TCP segment or UDP datagram, whose checksum
// becomes that of its pseudo-header alone: the rest is for whoever cuts it.
func asLarge(frame []byte, segment int) ([]byte, error) {
	eth, body, err := packet.ParseEthernet(frame)
	if err != nil {
		return nil, err
	}
	var sum packet.Sum
	var proto packet.Protocol
	header := packet.IPv6Len
	tcp := byte(vnetTCPv6)
	if eth.Type == packet.TypeIPv4 {
		h, payload, err := packet.ParseIPv4(body)
		if err != nil {
			return nil, err
		}
		header, proto, tcp = h.Len(), h.Protocol, vnetTCPv4
		sum = packet.PseudoHeader(h.Src, h.Dst, proto, len(payload))
	} else {
		h, payload, err := packet.ParseIPv6(body)
		if err != nil {
			return nil, err
		}
		proto = h.NextHeader
		sum = packet.PseudoHeader(h.Src, h.Dst, proto, len(payload))
	}
	start, kind, checksum, length := packet.EthernetLen+header, tcp, 16, packet.TCPMinLen
	if proto == packet.ProtoUDP {
		kind, checksum, length = vnetUDP, 6, packet.UDPLen
	}
	out := []byte{vnetNeedsChecksum, kind}
	for _, field := range []int{start + length, segment, start, checksum} {
		out = binary.NativeEndian.AppendUint16(out, uint16(field))
	}
	frame = append(out, frame...)
	binary.BigEndian.PutUint16(frame[len(out)+start+checksum:], ^sum.Checksum())
	return frame, nil
}
