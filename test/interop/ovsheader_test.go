package interop

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weft/encap"
	"weft/internal/testenv"
	"weft/internal/testenv/openvswitch"
	"weft/overlay"
	"weft/packet"
)

// ovsTunnel is a tunnel of Open vSwitch's, and what Weft says is around its packets.
type ovsTunnel struct {
	name, config string
	mode         overlay.TunnelMode
	port         uint16
	outer        encap.Outer
	// action is done before a packet goes into the tunnel, and ends in a comma.
	action string
	// option is what its Geneve headers then have behind Weft's.
	option string
}

// ovsTunnels are those of every kind that Open vSwitch's own datapath has. It sends no group
// policy there, and where GRE has both, its checksum leaves out the sequence number
// (lib/netdev-native-tnl.c, netdev_gre_push_header), which everybody else takes for wrong.
var ovsTunnels = []ovsTunnel{
	{"vxlan", "type=vxlan options:key=0xabcd01", overlay.TunnelVXLAN, 4789, encap.Outer{VNI: 0xabcd01}, "", ""},
	{"geneve", "type=geneve options:key=0xabcd02", overlay.TunnelGeneve, 6081, encap.Outer{VNI: 0xabcd02}, "", ""},
	{"geneve-option", "type=geneve options:key=0xabcd03", overlay.TunnelGeneve, 6081, encap.Outer{VNI: 0xabcd03},
		"set_field:0x01020304->tun_metadata0,", "0102050101020304"},
	{"gretap", "type=gre", overlay.TunnelGRETAP, 0, encap.Outer{NoKey: true}, "", ""},
	{"gretap-key", "type=gre options:key=0xabcd04", overlay.TunnelGRETAP, 0, encap.Outer{VNI: 0xabcd04}, "", ""},
	{"gretap-csum", "type=gre options:key=0xabcd05 options:csum=true", overlay.TunnelGRETAP, 0, encap.Outer{VNI: 0xabcd05, Checksum: true}, "", ""},
	{"gretap-seq", "type=gre options:key=0xabcd06 options:seq=true", overlay.TunnelGRETAP, 0, encap.Outer{VNI: 0xabcd06, HasSequence: true}, "", ""},
	{"gre", "type=gre options:key=0xabcd08 options:packet_type=legacy_l3", overlay.TunnelGRE, 0, encap.Outer{VNI: 0xabcd08}, "", ""},
}

// TestHeaders: the packets of Open vSwitch's tunnels are those that package encap makes, byte
// for byte; group policy, which Weft would lose, is refused by name, and a Geneve option is
// kept. With -update the packets are written to encap's testdata.
func TestHeaders(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "ovs-ofctl", "ovs-appctl", "ethtool")
	golden := map[string][]byte{}
	for _, f := range families {
		t.Run("over "+string(f), func(t *testing.T) {
			for name, frame := range fromOpenVSwitch(t, f) {
				golden[name] = frame
			}
		})
	}
	if len(golden) < len(families)*len(ovsTunnels) {
		return // some have failed, or were not asked for
	}
	testenv.Golden(t, "../../../encap/testdata/openvswitch.txt", testenv.FormatFrames(ovsHead, golden, nil))
}

const ovsHead = `# Frames of tunnels of Open vSwitch 3.1 (Debian 12), as go test ./test/interop -run TestHeaders
# captures them on each run, and writes them here with -update. What it chooses by chance is
# replaced: its MAC, UDP source ports by 50000, sequence numbers by 0; and so are by 0 the UDP
# checksums that it has over IPv6, which are verified.
#
#   NAME, NAME6: over IPv4 and IPv6; *-key, -csum, -seq: what GRE has. The tunnels are in
#   test/interop/ovsheader_test.go.
`

// fromOpenVSwitch has an Open vSwitch send a frame into each of its tunnels, and holds what comes
// out to what Weft would send.
func fromOpenVSwitch(t *testing.T, f overlay.Family) map[string][]byte {
	h := &host{TB: t, index: 1, ns: testenv.Namespace(t), workload: testenv.Namespace(t)}
	h.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "wire", "netns", filepath.Base(h.workload))
	h.run("ip", "link", "add", "port0", "type", "veth", "peer", "name", "eth0", "netns", filepath.Base(h.workload))
	for _, end := range []struct{ ns, device string }{{h.ns, "lo"}, {h.ns, "port0"}, {h.workload, "wire"}, {h.workload, "eth0"}} {
		testenv.Run(t, end.ns, "ip", "link", "set", end.device, "up")
	}
	peer, local := (&host{index: 0}).underlay(f).Addr(), h.underlay(f).Addr()
	configure := []string{"add-port", "int", "port0"}
	for _, o := range ovsTunnels {
		configure = append(configure, "--", "add-port", "int", o.name, "--", "set", "interface", o.name,
			"options:local_ip="+local.String(), "options:remote_ip="+peer.String())
		configure = append(configure, strings.Fields(o.config)...)
	}
	s := openvswitch.Start(t, h.ns)
	s.Configure(t, configure...)
	s.Connect(t, h.underlay(overlay.V4), h.underlay(overlay.V6))
	bridge := filepath.Join(s.Dir, "int.mgmt")
	testenv.Run(t, "", "ovs-appctl", "-t", s.Control(), "tnl/neigh/set", "phy", peer.String(), "02:00:00:00:00:01")
	testenv.Run(t, "", "ovs-ofctl", "add-tlv-map", bridge, "{class=0x0102,type=5,len=4}->tun_metadata0")
	wire := listen(t, h.workload, "wire")
	frames, got := map[string][]byte{}, map[string][]byte{}
	for i, o := range ovsTunnels {
		port := uint16(5000 + i)
		testenv.Run(t, "", "ovs-ofctl", "add-flow", bridge, fmt.Sprintf("in_port=port0,udp,tp_dst=%d,actions=%soutput:%s", port, o.action, o.name))
		frames[o.name] = packet.Ends{
			SrcMAC: h.mac(), DstMAC: [6]byte{2, 0, 0, 0, 0, 0x10}, Src: netip.MustParseAddr("10.7.0.17"), Dst: netip.MustParseAddr("10.7.0.16"),
		}.UDP(4000, port, []byte("Open vSwitch"))
		h.inject(frames[o.name])
	}
	testenv.Eventually(t, patience, func() error {
		for _, f := range wire.frames() {
			for name, inner := range frames {
				if bytes.HasSuffix(f.Data, inner[packet.EthernetLen:]) {
					got[name] = withoutChance(t, f.Data)
				}
			}
		}
		if len(got) < len(ovsTunnels) {
			return fmt.Errorf("%d packets of %d are there", len(got), len(ovsTunnels))
		}
		return nil
	}, "all tunnels' packets are on the wire")
	all := map[string][]byte{}
	for _, o := range ovsTunnels {
		o.check(t, got[o.name][packet.EthernetLen:], frames[o.name], local, peer)
		name := o.name
		if f == overlay.V6 {
			name += "6"
		}
		all[name] = got[o.name]
	}
	return all
}

// check holds a packet to what Weft says of it.
func (o ovsTunnel) check(t *testing.T, b, frame []byte, src, dst netip.Addr) {
	t.Helper()
	want, inner := o.outer, frame
	want.Encapsulation, want.Src, want.Dst, want.DstPort, want.Inner = overlay.Encapsulation(o.mode), src, dst, o.port, packet.TypeTEB
	if o.mode == overlay.TunnelGRETAP {
		want.Encapsulation = overlay.EncapGRE
	}
	if o.mode == overlay.TunnelGRE {
		want.Inner, inner = packet.TypeIPv4, frame[packet.EthernetLen:]
	}
	if o.port != 0 {
		want.SrcPort = normalPort
	}
	got, rest, err := encap.UnwrapTunnel(o.mode, b, o.port)
	if err != nil || got != want || !bytes.Equal(rest, inner) {
		t.Errorf("%s: read is %+v, %x, %v, want %+v", o.name, got, rest, err, want)
	}
	if ours := encap.Wrap(want, inner); o.option == "" && !bytes.Equal(ours, b) {
		t.Errorf("%s: Open vSwitch has\n%x, we\n%x", o.name, b, ours)
	}
	if o.option != "" && !strings.Contains(fmt.Sprintf("%x", b), o.option) {
		t.Errorf("%s: there is no option %s in\n%x", o.name, o.option, b)
	}
}

// normalPort is the UDP source port that stands for any.
const normalPort = 50000

// withoutChance is a frame with what its sender chose by chance replaced.
func withoutChance(t *testing.T, frame []byte) []byte {
	t.Helper()
	frame = slices.Clone(frame)
	copy(frame[6:12], []byte{2, 0, 0, 0, 0, 2})
	var e packet.Ends
	var protocol packet.Protocol
	var segment []byte
	if ip, payload, err := packet.ParseIPv4(frame[packet.EthernetLen:]); err == nil {
		e.Src, e.Dst, protocol, segment = ip.Src, ip.Dst, ip.Protocol, payload
	} else if ip, payload, err := packet.ParseIPv6(frame[packet.EthernetLen:]); err == nil {
		e.Src, e.Dst, protocol, segment = ip.Src, ip.Dst, ip.NextHeader, payload
	}
	switch protocol {
	case packet.ProtoUDP:
		if binary.BigEndian.Uint16(segment[6:]) != 0 && packet.TransportChecksum(e.Src, e.Dst, protocol, segment) != 0 {
			t.Errorf("wrong UDP checksum in %x", frame)
		}
		binary.BigEndian.PutUint16(segment, normalPort)
		binary.BigEndian.PutUint16(segment[6:], 0)
	case packet.ProtoGRE:
		if h, _, err := encap.ParseGRE(segment); err == nil && h.HasSequence {
			clear(segment[h.Len()-4 : h.Len()])
		}
	}
	return frame
}
