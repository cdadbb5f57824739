package encap

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// kernelPackets is what tshark says of the packets in testdata/kernel.txt, in the order of
// the file; see its head.
var kernelPackets = []struct {
	name string
	mode overlay.TunnelMode
	Outer
}{
	{"geneve", overlay.TunnelGeneve, Outer{SrcPort: 50000, DstPort: 6081, VNI: 123456, Inner: packet.TypeTEB}},
	{"geneve6", overlay.TunnelGeneve, Outer{SrcPort: 50000, DstPort: 6081, VNI: 123456, Inner: packet.TypeTEB}},
	{"gre", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv4, NoKey: true}},
	{"gre-all", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv4, VNI: 0x222222, Checksum: true, HasSequence: true}},
	{"gre-csum", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv4, NoKey: true, Checksum: true}},
	{"gre-csum-v6", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv6, NoKey: true, Checksum: true}},
	{"gre-key", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv4, VNI: 0x222222}},
	{"gre-key-v6", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv6, VNI: 0x222222}},
	{"gre-seq", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv4, NoKey: true, HasSequence: true}},
	{"gre-v6", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv6, NoKey: true}},
	{"gre6", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv4, NoKey: true}},
	{"gre6-all", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv4, VNI: 0x222222, Checksum: true, HasSequence: true}},
	{"gre6-csum", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv4, NoKey: true, Checksum: true}},
	{"gre6-csum-v6", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv6, NoKey: true, Checksum: true}},
	{"gre6-key", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv4, VNI: 0x222222}},
	{"gre6-key-v6", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv6, VNI: 0x222222}},
	{"gre6-limit", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv4, NoKey: true, HasLimit: true, Limit: 4}},
	{"gre6-limit-v6", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv6, NoKey: true, HasLimit: true, Limit: 4}},
	{"gre6-seq", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv4, NoKey: true, HasSequence: true}},
	{"gre6-v6", overlay.TunnelGRE, Outer{Inner: packet.TypeIPv6, NoKey: true}},
	{"gretap", overlay.TunnelGRETAP, Outer{Inner: packet.TypeTEB, NoKey: true}},
	{"gretap-all", overlay.TunnelGRETAP, Outer{Inner: packet.TypeTEB, VNI: 0x222222, Checksum: true, HasSequence: true}},
	{"gretap-key", overlay.TunnelGRETAP, Outer{Inner: packet.TypeTEB, VNI: 0x222222}},
	{"gretap6", overlay.TunnelGRETAP, Outer{Inner: packet.TypeTEB, NoKey: true}},
	{"gretap6-all", overlay.TunnelGRETAP, Outer{Inner: packet.TypeTEB, VNI: 0x222222, Checksum: true, HasSequence: true}},
	{"gretap6-key", overlay.TunnelGRETAP, Outer{Inner: packet.TypeTEB, VNI: 0x222222}},
	{"gretap6-limit", overlay.TunnelGRETAP, Outer{Inner: packet.TypeTEB, NoKey: true, HasLimit: true, Limit: 4}},
	{"ipip", overlay.TunnelIPIP, Outer{Inner: packet.TypeIPv4}},
	{"ipip6", overlay.TunnelIPIP, Outer{Inner: packet.TypeIPv4}},
	{"ipip6-limit", overlay.TunnelIPIP, Outer{Inner: packet.TypeIPv4, HasLimit: true, Limit: 4}},
	{"sit", overlay.TunnelSIT, Outer{Inner: packet.TypeIPv6}},
	{"sit6", overlay.TunnelSIT, Outer{Inner: packet.TypeIPv6}},
	{"sit6-limit", overlay.TunnelSIT, Outer{Inner: packet.TypeIPv6, HasLimit: true, Limit: 4}},
	{"udp-ip4", overlay.TunnelUDP, Outer{SrcPort: 50000, DstPort: 8285, Inner: packet.TypeIPv4}},
	{"udp-ip6", overlay.TunnelUDP, Outer{SrcPort: 50000, DstPort: 8285, Inner: packet.TypeIPv6}},
	{"udp6-ip4", overlay.TunnelUDP, Outer{SrcPort: 50000, DstPort: 8285, Inner: packet.TypeIPv4}},
	{"udp6-ip6", overlay.TunnelUDP, Outer{SrcPort: 50000, DstPort: 8285, Inner: packet.TypeIPv6}},
	{"vxlan", overlay.TunnelVXLAN, Outer{SrcPort: 50000, DstPort: 4789, VNI: 123456, Inner: packet.TypeTEB}},
	{"vxlan6", overlay.TunnelVXLAN, Outer{SrcPort: 50000, DstPort: 4789, VNI: 123456, Inner: packet.TypeTEB}},
}

// The packets of every tunnel device of the kernel's are read as what they are, and ours
// are the same. (The devices take ours: test/stock, TestHeaders.)
func TestTunnelsAreTheKernels(t *testing.T) {
	t.Parallel()
	packets := testenv.Frames(t, "testdata/kernel.txt")
	for _, c := range kernelPackets {
		_, b, err := packet.ParseEthernet(packets[c.name])
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		want := c.Outer
		want.Encapsulation = encapsulationOf(c.mode)
		want.Src, want.Dst = netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.1")
		if b[0]>>4 == 6 {
			want.Src, want.Dst = netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8::1")
		}
		got, inner, err := UnwrapTunnel(c.mode, b, c.DstPort)
		if device := strings.TrimSuffix(c.name, "-v6"); err != nil || got != want || !bytes.HasSuffix(inner, []byte(device)) {
			t.Errorf("%s: %+v, %x, %v, want %+v", c.name, got, inner, err, want)
		}
		if again := Wrap(got, inner); !bytes.Equal(again, b) {
			t.Errorf("%s: Wrap gives\n%x, want\n%x", c.name, again, b)
		}
	}
	if len(packets) != len(kernelPackets) {
		t.Errorf("%d packets are in the file, %d here", len(packets), len(kernelPackets))
	}
}
