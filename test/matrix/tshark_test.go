package matrix

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
	"weft/trace"
)

// read fails the test unless tshark, too, finds frames whole and all checksums right.
func read(t *testing.T, frames []trace.Frame) {
	t.Helper()
	for i, wrong := range tshark(t, frames) {
		if len(wrong) > 0 {
			t.Errorf("packet %d of %d: wrong %q\n%s", i+1, len(frames), wrong, trace.Text(trace.Decode(frames[i].Data), frames[i].Data, trace.TextOptions{}))
		}
	}
}

// checksums are tshark's names of what it found of each: badChecksum, if it is bad.
var checksums = []string{
	"ip.checksum.status", "udp.checksum.status", "tcp.checksum.status", "icmp.checksum.status", "icmpv6.checksum.status", "gre.checksum.status",
}

const badChecksum = "0" // PROTO_CHECKSUM_E_BAD (epan/proto.h)

// reading is what tshark says of a packet: each field's values, from the outside to the inside.
type reading map[string][]string

// tshark reads packets with every checksum verified, and says what is malformed in each, and which
// checksums are bad.
func tshark(t testing.TB, frames []trace.Frame) (all [][]string) {
	t.Helper()
	testenv.Need(t, "tshark")
	argv := []string{
		"tshark", "-n", "-r", save(t, frames), "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=;", "-d", "udp.port==8285,ip",
		"-o", "tcp.analyze_sequence_numbers:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE",
	}
	for _, preference := range []string{
		"ip.check_checksum", "udp.check_checksum", "tcp.check_checksum",
		"udp.ignore_ipv6_zero_checksum", // a tunnel packet needs none (RFC 6935)
	} {
		argv = append(argv, "-o", preference+":TRUE")
	}
	for port := range lowPorts(frames) {
		argv = append(argv, "-d", fmt.Sprintf("udp.port==%d,geneve", port))
	}
	fields := append([]string{"tcp.checksum", "icmp.type", "icmpv6.type", "_ws.malformed"}, checksums...)
	for _, f := range fields {
		argv = append(argv, "-e", f)
	}
	for line := range strings.Lines(testenv.Output(t, "", argv...)) {
		r := reading{}
		for i, value := range strings.Split(strings.TrimSuffix(line, "\n"), "\t") {
			if value != "" {
				r[fields[i]] = strings.Split(value, ";")
			}
		}
		all = append(all, r.wrong())
	}
	if len(all) != len(frames) {
		t.Fatalf("tshark reads %d packets of %d", len(all), len(frames))
	}
	return all
}

// lowPorts are those that Geneve packets come from and are below its own. The kernel's device takes any
// (drivers/net/geneve.c: udp_flow_src_port from 1), and tshark looks at the lower port first.
func lowPorts(frames []trace.Frame) map[uint16]bool {
	all := map[uint16]bool{}
	for _, f := range frames {
		_, ip, err := packet.ParseEthernet(f.Data)
		if err != nil {
			continue
		}
		_, segment, err := packet.ParseIPv4(ip)
		if err != nil {
			_, segment, err = packet.ParseIPv6(ip)
		}
		if err != nil {
			continue
		}
		if h, _, err := packet.ParseUDP(segment); err == nil && h.DstPort == overlay.DefaultGenevePort && h.SrcPort < h.DstPort {
			all[h.SrcPort] = true
		}
	}
	return all
}

func (r reading) wrong() []string {
	all := slices.Clone(r["_ws.malformed"])
	for _, c := range checksums {
		switch {
		case !slices.Contains(r[c], badChecksum):
		case c == "tcp.checksum.status" && (r.quotes() || slices.Contains(r["tcp.checksum"], otherZero)):
		default:
			all = append(all, c)
		}
	}
	return all
}

// otherZero is a checksum that is as right as zero is. The kernel writes it whatever the protocol
// (include/net/checksum.h, CSUM_MANGLED_0); tshark minds it in TCP.
const otherZero = "0xffff"

// quotes reports whether there is the beginning of another packet in this one, as in errors
// (RFC 1812 section 4.3.2.3, RFC 4443 section 2.1): tshark takes it for a whole one.
func (r reading) quotes() bool {
	errors := map[string][]string{"icmp.type": {"3", "5", "11", "12"}, "icmpv6.type": {"1", "2", "3", "4"}}
	for field, types := range errors {
		for _, got := range r[field] {
			if slices.Contains(types, got) {
				return true
			}
		}
	}
	return false
}

// save writes frames into a file for tshark.
func save(t testing.TB, frames []trace.Frame) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "wire.pcap")
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
	return path
}

// What is wrong is seen: one byte of a packet is not what it was, another packet ends in the
// middle of what is inside.
func TestTsharkSeesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, f := range families {
		ends := packet.Ends{Src: local(near, f).Addr(), Dst: local(far, f).Addr()}
		right := ends.TCP(packet.TCP{SrcPort: 4000, DstPort: 80, Flags: packet.SYN, Window: 1000}, []byte("data"))
		bad := slices.Clone(right)
		bad[len(bad)-1] ^= 1
		cut := ends.UDP(49152, 4789, append([]byte{8, 0, 0, 0, 0, 0, 1, 0}, right[:packet.EthernetLen+2]...))
		fromLow := ends.UDP(67, overlay.DefaultGenevePort, append([]byte{0, 0, 0x65, 0x58, 0, 0, 1, 0}, right...))
		var frames []trace.Frame
		for _, b := range [][]byte{right, bad, cut, fromLow} {
			frames = append(frames, trace.Frame{Data: b, Length: len(b)})
		}
		var got []bool
		for _, wrong := range tshark(t, frames) {
			got = append(got, len(wrong) > 0)
		}
		if want := []bool{false, true, true, false}; !slices.Equal(got, want) {
			t.Errorf("%s: found wrong: %t, want %t", f, got, want)
		}
	}
}
