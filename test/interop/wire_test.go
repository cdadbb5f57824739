package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
	"weft/trace"
)

// capture is what passes a device from now on, until it is read.
type capture struct {
	testing.TB
	*trace.Capture
}

// listen captures on a device in a namespace.
func listen(t testing.TB, ns, device string) capture {
	t.Helper()
	c, err := trace.Open(trace.Options{Interface: device, Enter: func(f func() error) error { return netns.Do(ns, f) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return capture{t, c}
}

// frames are those that were captured: all that has passed by now is in the socket already.
func (c capture) frames() (frames []trace.Frame) {
	c.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	for f, err := range c.Frames(ctx) {
		if err != nil {
			c.Fatal(err)
		}
		frames = append(frames, f)
	}
	if lost, err := c.Lost(); err != nil || lost > 0 {
		c.Fatalf("%d frames did not fit the capture: %v", lost, err)
	}
	return frames
}

// longest is the length of the longest frame.
func longest(frames []trace.Frame) (n int) {
	for _, f := range frames {
		n = max(n, f.Length)
	}
	return n
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

// checksums are tshark's names of what it found of each: badChecksum, if it is bad.
var checksums = []string{"ip.checksum.status", "udp.checksum.status", "tcp.checksum.status", "icmp.checksum.status", "icmpv6.checksum.status"}

const badChecksum = "0" // PROTO_CHECKSUM_E_BAD (epan/proto.h)

// reading is what tshark says of a packet.
type reading struct {
	// values are those of each field, from the outside to the inside.
	values map[string][]string
	// wrong is what is malformed, and which checksums are bad.
	wrong []string
}

// tshark reads packets with every checksum verified.
func tshark(t testing.TB, frames []trace.Frame, fields ...string) (all []reading) {
	t.Helper()
	argv := []string{"tshark", "-n", "-r", save(t, frames), "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=;"}
	for _, preference := range []string{
		"ip.check_checksum", "udp.check_checksum", "tcp.check_checksum",
		"udp.ignore_ipv6_zero_checksum", // a tunnel packet needs none (RFC 6935)
	} {
		argv = append(argv, "-o", preference+":TRUE")
	}
	fields = slices.Concat(fields, checksums, []string{"tcp.checksum", "tcp.checksum_calculated", "_ws.malformed"})
	for _, f := range fields {
		argv = append(argv, "-e", f)
	}
	for line := range strings.Lines(testenv.Output(t, "", argv...)) {
		r := reading{values: map[string][]string{}}
		for i, value := range strings.Split(strings.TrimSuffix(line, "\n"), "\t") {
			if value != "" {
				r.values[fields[i]] = strings.Split(value, ";")
			}
		}
		for _, c := range checksums {
			if slices.Contains(r.values[c], badChecksum) && !(c == "tcp.checksum.status" && r.isOtherZero()) {
				r.wrong = append(r.wrong, c)
			}
		}
		r.wrong = append(r.wrong, r.values["_ws.malformed"]...)
		all = append(all, r)
	}
	if len(all) != len(frames) {
		t.Fatalf("tshark reads %d packets of %d", len(all), len(frames))
	}
	return all
}

// isOtherZero: the TCP checksum is the other form of zero, which is right in ones' complement.
// tshark takes it for bad; Linux sends it (net/core/dev.c, skb_checksum_help).
func (r reading) isOtherZero() bool {
	return slices.Equal(r.values["tcp.checksum"], []string{"0xffff"}) && slices.Equal(r.values["tcp.checksum_calculated"], []string{"0x0000"})
}

// outermost is a field's value in the first header that has it.
func (r reading) outermost(field string) string {
	if len(r.values[field]) == 0 {
		return ""
	}
	return r.values[field][0]
}

// vniFields are tshark's names of where encapsulations have the VNI.
var vniFields = map[overlay.Encapsulation]string{
	overlay.EncapVXLAN: "vxlan.vni", overlay.EncapGeneve: "geneve.vni", overlay.EncapGRE: "gre.key",
}

// shown is how tshark shows the VNI.
var shown = map[overlay.Encapsulation]string{
	overlay.EncapVXLAN: fmt.Sprint(vni), overlay.EncapGeneve: fmt.Sprintf("%#06x", vni), overlay.EncapGRE: fmt.Sprintf("%#08x", vni),
}

// read fails the test unless the wire has had whole packets alone, with right checksums and
// small enough; and tunnel packets both ways, from the hosts' addresses and with the
// network's VNI.
func (p *pair) read(frames []trace.Frame) {
	p.Helper()
	if n := longest(frames); n > underlayMTU+packet.EthernetLen {
		p.Errorf("a frame of %d bytes on the wire", n)
	}
	e, ip := p.spec.Encapsulation, "ip"
	if p.spec.Underlay == overlay.V6 {
		ip = "ipv6"
	}
	seen := map[string]int{}
	for i, r := range tshark(p, frames, ip+".src", ip+".dst", vniFields[e]) {
		if len(r.wrong) > 0 {
			p.Errorf("packet %d of %d: wrong %q", i+1, len(frames), r.wrong)
		}
		if vni := r.outermost(vniFields[e]); vni != "" {
			seen[onWire(r.outermost(ip+".src"), r.outermost(ip+".dst"), vni)]++
		}
	}
	a, b := p.hosts[0].underlay(p.spec.Underlay).Addr().String(), p.hosts[1].underlay(p.spec.Underlay).Addr().String()
	for _, want := range []string{onWire(a, b, shown[e]), onWire(b, a, shown[e])} {
		if seen[want] == 0 {
			p.Errorf("no packet on the wire %s", want)
		}
		delete(seen, want)
	}
	for other, n := range seen {
		p.Errorf("%d packets on the wire %s", n, other)
	}
}

func onWire(src, dst, vni string) string {
	return fmt.Sprintf("%s > %s, VNI %s", src, dst, strings.ToLower(vni))
}

// What is wrong is seen: one byte of a packet is not what it was, another packet ends in the
// middle of what is inside.
func TestTsharkSeesWhatIsWrong(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "tshark")
	h := &host{}
	for _, f := range families {
		ends := packet.Ends{Src: h.underlay(f).Addr(), Dst: h.underlay(f).Addr().Next()}
		good := ends.TCP(packet.TCP{SrcPort: 4000, DstPort: 80, Flags: packet.SYN, Window: 1000}, []byte("data"))
		bad := slices.Clone(good)
		bad[len(bad)-1] ^= 1
		cut := ends.UDP(49152, overlay.DefaultVXLANPort, append([]byte{8, 0, 0, 0, 0, 0, 1, 0}, good[:packet.EthernetLen+2]...))
		var frames []trace.Frame
		for _, b := range [][]byte{good, bad, cut, otherZero(ends)} {
			frames = append(frames, trace.Frame{Data: b, Length: len(b)})
		}
		var got []bool
		for _, r := range tshark(t, frames) {
			got = append(got, len(r.wrong) > 0)
		}
		if want := []bool{false, true, true, false}; !slices.Equal(got, want) {
			t.Errorf("%s: found wrong: %t, want %t", f, got, want)
		}
	}
}

// otherZero is a TCP segment with the checksum 0xffff where it is zero.
func otherZero(ends packet.Ends) []byte {
	h := packet.TCP{SrcPort: 4000, DstPort: 80, Flags: packet.SYN, Window: 1000}
	b := ends.TCP(h, []byte{0, 0})
	at := len(b) - 6 // two bytes of data and the urgent pointer are behind it
	b = ends.TCP(h, b[at:at+2])
	b[at], b[at+1] = 0xff, 0xff
	return b
}
