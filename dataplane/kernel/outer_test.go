package kernel

import (
	"net/netip"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// TestOuterHeaders: what a network says of outer packets is so on the wire.
func TestOuterHeaders(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "ethtool")
	for _, f := range []overlay.Family{overlay.V4, overlay.V6} {
		t.Run("over "+string(f), func(t *testing.T) {
			t.Parallel()
			n := newTestNet(t, 2, overlay.Bridged, f)
			for i, h := range n.bed.hosts {
				// Checksums are to be there, not left to the device. One host leaves them out.
				testenv.Run(t, h.ns, "ethtool", "-K", "eth0", "tx", "off")
				s := n.edited(i, outer)
				net := s.Networks[n.spec.Name]
				sums := i == 1
				net.UDPChecksum = &sums
				s.Networks[n.spec.Name] = net
				h.apply(s)
			}
			wire := capture(t, n.bed.hosts[0].ns, n.spec.Port)
			ping(t, n.workloads[0], n.endpoint(1).Addresses[0].String(), "-p", pingPattern)
			for i, frame := range wire(2) {
				from, ttl, segment := outerOfFrame(t, frame.Data)
				udp, _, err := packet.ParseUDP(segment)
				if err != nil {
					t.Fatal(err)
				}
				to := n.bed.hosts[1-i].underlay(f)
				if from != n.bed.hosts[i].underlay(f) || ttl != 9 || udp.SrcPort < 40000 || udp.SrcPort > 41000 {
					t.Errorf("from %s, TTL %d, source port %d: want %s, 9, 40000 to 41000", from, ttl, udp.SrcPort, n.bed.hosts[i].underlay(f))
				}
				right := udp.Checksum != 0 && packet.TransportChecksum(from, to, packet.ProtoUDP, segment) == 0
				if i == 0 && udp.Checksum != 0 || i == 1 && !right {
					t.Errorf("host %d: checksum %#x: want none of host 0, and the right one of host 1", i, udp.Checksum)
				}
			}
		})
	}
}

// outerOfFrame is who sent a UDP packet, with which TTL, and its UDP header and payload.
func outerOfFrame(t *testing.T, frame []byte) (from netip.Addr, ttl uint8, segment []byte) {
	t.Helper()
	eth, body, err := packet.ParseEthernet(frame)
	if err != nil {
		t.Fatal(err)
	}
	if eth.Type == packet.TypeIPv4 {
		h, payload, err := packet.ParseIPv4(body)
		if err != nil {
			t.Fatal(err)
		}
		return h.Src, h.TTL, payload
	}
	h, payload, err := packet.ParseIPv6(body)
	if err != nil {
		t.Fatal(err)
	}
	return h.Src, h.HopLimit, payload
}
