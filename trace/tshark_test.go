package trace

import (
	"encoding/xml"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weft/internal/testenv"
)

// tsharkLayers maps our layers to tshark's protocols.
var tsharkLayers = map[string]string{
	Ethernet: "eth", VLAN: "vlan", ARP: "arp", IPv4: "ip", IPv6: "ipv6",
	UDP: "udp", TCP: "tcp", ICMP: "icmp", ICMPv6: "icmpv6", VXLAN: "vxlan",
}

// tsharkFields maps our fields, "layer field", to tshark's.
var tsharkFields = map[string]string{
	"Ethernet destination": "eth.dst", "Ethernet source": "eth.src", "Ethernet type": "eth.type",
	"VLAN priority": "vlan.priority", "VLAN id": "vlan.id", "VLAN type": "vlan.etype",
	"ARP operation": "arp.opcode", "ARP sender MAC": "arp.src.hw_mac", "ARP sender": "arp.src.proto_ipv4",
	"ARP target MAC": "arp.dst.hw_mac", "ARP target": "arp.dst.proto_ipv4",
	"IPv4 tos": "ip.dsfield", "IPv4 length": "ip.len", "IPv4 id": "ip.id", "IPv4 flags": "ip.flags",
	"IPv4 offset": "ip.frag_offset", "IPv4 ttl": "ip.ttl", "IPv4 protocol": "ip.proto",
	"IPv4 checksum": "ip.checksum", "IPv4 source": "ip.src", "IPv4 destination": "ip.dst",
	"IPv6 traffic class": "ipv6.tclass", "IPv6 flow label": "ipv6.flow", "IPv6 length": "ipv6.plen",
	"IPv6 next header": "ipv6.nxt", "IPv6 hop limit": "ipv6.hlim", "IPv6 source": "ipv6.src", "IPv6 destination": "ipv6.dst",
	"UDP source port": "udp.srcport", "UDP destination port": "udp.dstport", "UDP length": "udp.length", "UDP checksum": "udp.checksum",
	"TCP source port": "tcp.srcport", "TCP destination port": "tcp.dstport", "TCP sequence": "tcp.seq_raw",
	"TCP acknowledgment": "tcp.ack_raw", "TCP flags": "tcp.flags", "TCP window": "tcp.window_size_value",
	"TCP checksum": "tcp.checksum", "TCP urgent pointer": "tcp.urgent_pointer", "TCP options": "tcp.options",
	"ICMP type": "icmp.type", "ICMP code": "icmp.code", "ICMP checksum": "icmp.checksum",
	"ICMP id": "icmp.ident", "ICMP sequence": "icmp.seq", "ICMP mtu": "icmp.mtu",
	"ICMPv6 type": "icmpv6.type", "ICMPv6 code": "icmpv6.code", "ICMPv6 checksum": "icmpv6.checksum",
	"ICMPv6 id": "icmpv6.echo.identifier", "ICMPv6 sequence": "icmpv6.echo.sequence_number", "ICMPv6 mtu": "icmpv6.mtu",
	"ICMPv6 flags": "icmpv6.nd.na.flag", "ICMPv6 source link-layer address": "icmpv6.opt.linkaddr",
	"ICMPv6 target link-layer address": "icmpv6.opt.linkaddr", "ICMPv6 nonce": "icmpv6.opt.nonce",
	"VXLAN flags": "vxlan.flags", "VXLAN vni": "vxlan.vni",
}

// notCompared are the fields that tshark has in another form.
var notCompared = []string{"IPv4 options"}

// widerInTshark are the fields that tshark reads together with their neighbours.
var widerInTshark = []string{"IPv6 traffic class", "VXLAN flags", "ICMPv6 nonce"}

// node is an element of tshark's PDML: a packet, a protocol or a field.
type node struct {
	XMLName xml.Name
	Name    string `xml:"name,attr"`
	Show    string `xml:"show,attr"`
	Pos     int    `xml:"pos,attr"`
	Size    int    `xml:"size,attr"`
	Nodes   []node `xml:",any"`
}

// walk visits n and what is in it, in the order of the document.
func (n node) walk(visit func(node)) {
	visit(n)
	for _, inner := range n.Nodes {
		inner.walk(visit)
	}
}

// tshark decodes frames in one run, by way of our pcap file.
func tshark(t *testing.T, frames [][]byte, ports ...uint16) []node {
	t.Helper()
	testenv.Need(t, "tshark")
	path := filepath.Join(t.TempDir(), "frames.pcap")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w, err := NewPcapWriter(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, frame := range frames {
		if err := w.Write(Frame{Time: time.Unix(int64(i), 0), Data: frame}); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"tshark", "-n", "-r", path, "-T", "pdml", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE",
		"-o", "tcp.desegment_tcp_streams:FALSE"}
	for _, port := range ports {
		args = append(args, "-d", fmt.Sprintf("udp.port==%d,vxlan", port))
	}
	var document struct {
		Packets []node `xml:"packet"`
	}
	if err := xml.Unmarshal([]byte(testenv.Output(t, "", args...)), &document); err != nil {
		t.Fatal(err)
	}
	if len(document.Packets) != len(frames) {
		t.Fatalf("tshark read %d frames of %d", len(document.Packets), len(frames))
	}
	return document.Packets
}

// differences holds our layers and fields against tshark's: the same protocols at
// the same places, and each field of ours with the same value in the same bytes.
func differences(frame []byte, packet node, ports ...uint16) []string {
	var found, ours, theirs []string
	for _, l := range Decode(frame, ports...) {
		if name := tsharkLayers[l.Name]; name != "" {
			ours = append(ours, fmt.Sprintf("%s at %d", name, l.Offset))
		}
		for _, f := range l.Fields {
			if d := difference(l, f, packet); d != "" {
				found = append(found, d)
			}
		}
	}
	known := slices.Collect(maps.Values(tsharkLayers))
	packet.walk(func(n node) {
		if n.XMLName.Local == "proto" && slices.Contains(known, n.Name) {
			theirs = append(theirs, fmt.Sprintf("%s at %d", n.Name, n.Pos))
		}
	})
	if !slices.Equal(ours, theirs) {
		found = append(found, fmt.Sprintf("layers %v, tshark has %v", ours, theirs))
	}
	return found
}

// difference is that of one field; empty if there is none.
func difference(l Layer, f Field, packet node) string {
	id := l.Name + " " + f.Name
	if slices.Contains(notCompared, id) {
		return ""
	}
	name := tsharkFields[id]
	if id == "ICMPv6 target" {
		name = map[string]string{"135": "icmpv6.nd.ns.target_address", "136": "icmpv6.nd.na.target_address"}[l.Value("type")]
	}
	said := fmt.Sprintf("%s at %d is %s, tshark has none there", id, f.Offset, f.Value)
	found := false
	packet.walk(func(n node) {
		if n.Name != name || n.Pos != f.Offset || found {
			return
		}
		found, said = true, ""
		if n.Size != f.Length && !slices.Contains(widerInTshark, id) {
			said = fmt.Sprintf("%s at %d has %d bytes, tshark says %d", id, f.Offset, f.Length, n.Size)
		}
		if got, want := plain(f.Value), plain(inOurUnits(id, n.Show)); got != want {
			said = fmt.Sprintf("%s at %d is %s, tshark says %s", id, f.Offset, f.Value, n.Show)
		}
	})
	return said
}

// inOurUnits is what tshark shows, where it counts in another unit.
func inOurUnits(id, show string) string {
	switch id {
	case "IPv4 offset": // ours is in bytes, tshark's as on the wire
		units, _ := strconv.Atoi(show)
		return strconv.Itoa(8 * units)
	case "VXLAN flags": // tshark adds the next byte
		return show[:min(4, len(show))]
	case "TCP options", "ICMPv6 nonce":
		return "0x" + strings.ReplaceAll(show, ":", "")
	}
	return show
}

// plain is a value with a number in decimal: 0x10 is 16.
func plain(s string) string {
	if n, err := strconv.ParseUint(s, 0, 64); err == nil {
		return strconv.FormatUint(n, 10)
	}
	return s
}

func TestDecodeAsTsharkDoes(t *testing.T) {
	t.Parallel()
	frames := kernelFrames(t)
	names := slices.Sorted(maps.Keys(frames))
	var all [][]byte
	for _, name := range names {
		all = append(all, frames[name])
	}
	for i, packet := range tshark(t, all, kernelPorts...) {
		t.Run(names[i], func(t *testing.T) {
			for _, d := range differences(all[i], packet, kernelPorts...) {
				t.Error(d)
			}
		})
	}
}

func TestDecodeRandomTunnelsAsTsharkDoes(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	port := g.tunnelPort()
	var frames [][]byte
	for range 200 {
		frames = append(frames, g.tunnel(port))
	}
	for i, packet := range tshark(t, frames, port) {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			for _, d := range differences(frames[i], packet, port) {
				t.Error(d)
			}
			if t.Failed() {
				t.Logf("seed %d, frame %x\n%s", seed, frames[i], Text(Decode(frames[i], port), nil, TextOptions{}))
			}
		})
	}
}

// The comparison can fail: one bit anywhere in the headers is seen.
func TestDifferencesAreSeen(t *testing.T) {
	t.Parallel()
	frame := kernelFrames(t)["vxlan v4-echo4"]
	var all [][]byte
	headers := len(frame) - 16
	unread := map[int]bool{43: true, 44: true, 45: true, 49: true} // VXLAN's reserved bytes
	for at := range headers {
		all = append(all, with(frame, at, frame[at]^0x01))
	}
	for at, packet := range tshark(t, all, kernelPorts...) {
		if !unread[at] && len(differences(frame, packet, kernelPorts...)) == 0 {
			t.Errorf("byte %d changed and nobody noticed", at)
		}
	}
}
