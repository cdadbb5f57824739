package trace

import (
	"testing"

	"weft/packet"
)

// The last layer's line, for what the kernel frames do not show.
func TestSummaries(t *testing.T) {
	t.Parallel()
	about4, about6 := ends4.UDP(1, 2, nil)[packet.EthernetLen:], ends6.UDP(1, 2, nil)[packet.EthernetLen:]
	icmp4 := func(typ, code byte) []byte {
		b := append([]byte{typ, code, 0, 0, 0, 0, 0, 0}, about4...)
		sum := packet.Checksum(b)
		return ends4.IP(packet.ProtoICMP, with(b, 2, byte(sum>>8), byte(sum)))
	}
	icmp6 := func(typ, code byte) []byte {
		b := append([]byte{typ, code, 0, 0, 0, 0, 0, 0}, about6...)
		sum := packet.TransportChecksum(ends6.Src, ends6.Dst, packet.ProtoICMPv6, b)
		return ends6.IP(packet.ProtoICMPv6, with(b, 2, byte(sum>>8), byte(sum)))
	}
	arp := packet.ARP{Op: 8, SenderIP: ends4.Src, TargetIP: ends4.Dst}
	defence := packet.NAFrame(ends6.SrcMAC, ends6.Src, packet.NDOverride, ends6.DstMAC, ends6.Dst)
	for _, c := range []struct {
		frame       []byte
		layer, want string
	}{
		{icmp4(3, 0), ICMP, "destination unreachable: network unreachable"},
		{icmp4(3, 13), ICMP, "destination unreachable: communication prohibited"},
		{icmp4(3, 200), ICMP, "destination unreachable"},
		{icmp4(11, 0), ICMP, "time exceeded: ttl exceeded in transit"},
		{icmp4(12, 0), ICMP, "parameter problem"},
		{icmp6(1, 0), ICMPv6, "destination unreachable: no route to destination"},
		{icmp6(1, 3), ICMPv6, "destination unreachable: address unreachable"},
		{icmp6(3, 0), ICMPv6, "time exceeded: hop limit exceeded in transit"},
		{icmp6(4, 1), ICMPv6, "parameter problem: unknown next header"},
		{icmp6(100, 0), ICMPv6, "type 100"},
		{arp.Append(ethernet(ends4, packet.TypeARP)), ARP, "op 8"},
		{defence, ICMPv6, "neighbor advertisement: fd00::1 is at 02:00:00:00:00:01"},
		{ends4.TCP(packet.TCP{SrcPort: 1, DstPort: 2}, nil), TCP, "1 → 2, no flags, seq 0, ack 0, window 0"},
		{ethernet(ends4, 38), Ethernet, "02:00:00:00:00:01 → 02:00:00:00:00:02, 802.3"},
		{ethernet(ends4, 0x88cc), Ethernet, "02:00:00:00:00:01 → 02:00:00:00:00:02, 0x88cc"},
		{ends4.IP(89, []byte{1}), Data, "1 byte"},
	} {
		l, ok := Find(Decode(c.frame), c.layer, 0)
		if !ok || l.Summary != c.want || l.Problem != "" {
			t.Errorf("got  %q, problem %q\nwant %q", l.Summary, l.Problem, c.want)
		}
	}
}
