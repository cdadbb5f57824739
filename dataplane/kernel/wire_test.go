package kernel

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/trace"
)

// TestTsharkReadsTheWire: what a node sends over the underlay is, to somebody who never
// heard of Weft, what its State says; and so is the answer.
func TestTsharkReadsTheWire(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "tshark", "ethtool")
	for _, kind := range []overlay.NetworkKind{overlay.Bridged, overlay.Routed} {
		for _, underlay := range []overlay.Family{overlay.V4, overlay.V6} {
			t.Run(string(kind)+" over "+string(underlay), func(t *testing.T) {
				t.Parallel()
				n := newTestNet(t, 2, kind, underlay)
				n.spec.VNI, n.spec.Port = 0xabcdef, 8472
				n.spec.GatewayMAC = n.spec.VNI.GatewayMAC()
				for i, h := range n.bed.hosts {
					// Checksums are to be there, not left to the device.
					testenv.Run(t, h.ns, "ethtool", "-K", "eth0", "tx", "off")
					h.apply(n.state(i))
				}
				wire := capture(t, n.bed.hosts[0].ns, n.spec.Port)
				var want []string
				for i, a := range n.endpoint(1).Addresses[:2] {
					ping(t, n.workloads[0], a.String(), "-p", pingPattern)
					want = append(want,
						n.onWire(0, 1, n.endpoint(0).Addresses[i], a, "request"),
						n.onWire(1, 0, a, n.endpoint(0).Addresses[i], "reply"))
				}
				got := tshark(t, n.spec.Port, wire(len(want)))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("the States say (-), tshark says (+):\n%s", diff)
				}
			})
		}
	}
}

// onWire is how an echo message from host i to host j passes the underlay, as host i's
// State has it: who has the address is found as a frame would find it.
func (n testNet) onWire(i, j int, from, to netip.Addr, message string) string {
	s := n.state(i).Networks[n.spec.Name]
	node := n.bed.hosts[j].name
	source, destination := s.VTEPMAC, s.Members[node].VTEPMAC
	if s.Kind == overlay.Bridged {
		source, destination = s.Neighbors[from], s.Neighbors[to]
		node = s.Remotes[destination]
	}
	// The kernel sums over IPv4 too, where RFC 7348, section 5, would rather have zero
	// but lets receivers check: cards then check the inner checksum at the same time.
	return fmt.Sprintf("%v > %v, UDP port %d checksum good, VXLAN flags 0x0800 VNI %d, %v > %v, %v > %v, echo %s",
		s.Local, s.Members[node].VTEP, s.Settings.Port, s.VNI, source, destination, from, to, message)
}

// pingPattern fills the packets that are looked for ("weft").
const pingPattern = "77656674"

// capture listens on a host's underlay device from now on. The function that it returns
// waits for as many frames with the pattern.
func capture(t testing.TB, ns string, port uint16) func(int) []trace.Frame {
	t.Helper()
	c, err := trace.Open(trace.Options{
		Interface: "eth0", Ports: []uint16{port}, Enter: func(f func() error) error { return netns.Do(ns, f) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(count int) []trace.Frame {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var frames []trace.Frame
		for f, err := range c.Frames(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(f.Data, []byte("weftweft")) {
				frames = append(frames, f)
			}
			if len(frames) == count {
				return frames
			}
		}
		t.Fatalf("captured %d frames in 5 s, want %d", len(frames), count)
		return nil
	}
}

// pdml is what tshark makes of packets: the fields of their protocols, from the outside
// to the inside.
type pdml struct {
	Packets []struct {
		Protocols []protocol `xml:"proto"`
	} `xml:"packet"`
}

type protocol struct {
	Name   string  `xml:"name,attr"`
	Fields []field `xml:"field"`
}

type field struct {
	Name   string  `xml:"name,attr"`
	Show   string  `xml:"show,attr"`
	Fields []field `xml:"field"`
}

// tshark decodes frames, and says of each what onWire says.
func tshark(t testing.TB, port uint16, frames []trace.Frame) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wire.pcap")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w, err := trace.NewPcapWriter(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		if err := w.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	out := testenv.Output(t, "", "tshark", "-n", "-r", path, "-T", "pdml", "-d", fmt.Sprintf("udp.port==%d,vxlan", port),
		"-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE")
	var decoded pdml
	if err := xml.Unmarshal([]byte(out), &decoded); err != nil {
		t.Fatalf("read what tshark says: %v", err)
	}
	var lines []string
	for _, p := range decoded.Packets {
		var layers []string
		for _, l := range p.Protocols {
			if text := l.text(); text != "" {
				layers = append(layers, text)
			}
		}
		if len(layers) > 0 {
			layers = layers[1:] // the underlay's Ethernet header
		}
		lines = append(lines, strings.Join(layers, ", "))
	}
	return lines
}

// text says of a header what onWire says; "" for what is no header.
func (p protocol) text() string {
	switch p.Name {
	case "eth":
		return p.field("eth.src") + " > " + p.field("eth.dst")
	case "ip":
		return p.field("ip.src") + " > " + p.field("ip.dst") + bad("IPv4", p.field("ip.checksum.status"))
	case "ipv6":
		return p.field("ipv6.src") + " > " + p.field("ipv6.dst")
	case "udp":
		return "UDP port " + p.field("udp.dstport") + " checksum " + checksums[p.field("udp.checksum.status")]
	case "vxlan":
		return "VXLAN flags " + p.field("vxlan.flags") + " VNI " + p.field("vxlan.vni")
	case "icmp":
		return "echo " + echoTypes[p.field("icmp.type")] + bad("ICMP", p.field("icmp.checksum.status"))
	case "icmpv6":
		return "echo " + echoTypes[p.field("icmpv6.type")] + bad("ICMPv6", p.field("icmpv6.checksum.status"))
	}
	return ""
}

// checksums are tshark's words for what it found (epan/proto.h), echoTypes ICMP's and ICMPv6's types.
var (
	checksums = map[string]string{"0": "bad", "1": "good", "2": "unverified", "3": "none"}
	echoTypes = map[string]string{"8": "request", "0": "reply", "128": "request", "129": "reply"}
)

// bad says that a checksum that has to be good is not.
func bad(header, status string) string {
	if status == "1" {
		return ""
	}
	return fmt.Sprintf(" (checksum of %s %s)", header, checksums[status])
}

// field is what a field of the header shows, also one that is in another.
func (p protocol) field(name string) string { return find(p.Fields, name) }

func find(fields []field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Show
		}
		if s := find(f.Fields, name); s != "" {
			return s
		}
	}
	return ""
}
