package stock

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// capture is what passes eth0 of a namespace.
type capture struct {
	testing.TB
	ns, file string
	tcpdump  *exec.Cmd
}

// listen captures from now on.
func listen(t testing.TB, ns string) *capture {
	t.Helper()
	testenv.Need(t, "tcpdump", "tshark")
	dir := t.TempDir()
	c := &capture{t, ns, filepath.Join(dir, "pcap"), nil}
	said, err := os.Create(filepath.Join(dir, "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	c.tcpdump = exec.Command("tcpdump", "-i", "eth0", "-n", "-U", "--immediate-mode", "-B", "65536", "-Z", "root", "-w", c.file)
	c.tcpdump.Stderr = said
	if err := netns.Start(ns, c.tcpdump); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.tcpdump.Process.Kill() // what it captured is read, or of no use
		c.tcpdump.Wait()
	})
	testenv.Eventually(t, patience, func() error {
		text, err := os.ReadFile(said.Name())
		if err == nil && !bytes.Contains(text, []byte("listening on")) {
			err = fmt.Errorf("tcpdump says %q", text)
		}
		return err
	}, "tcpdump listens")
	return c
}

// complete waits until all that has passed by now is in the file: a last ping, which is known
// by what it carries.
func (c *capture) complete() {
	c.Helper()
	last := []byte("the last packet!")
	testenv.Run(c, c.ns, "ping", "-nq", "-c1", "-W9", "-s100", "-p", hex.EncodeToString(last), local(1, v4).Addr().String())
	testenv.Eventually(c, patience, func() error {
		f, err := os.Open(c.file)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		end := make([]byte, min(info.Size(), 10000))
		if _, err := f.ReadAt(end, info.Size()-int64(len(end))); err != nil {
			return err
		}
		if !bytes.Contains(end, last) {
			return fmt.Errorf("it is not in the last of %d bytes", info.Size())
		}
		return nil
	}, "tcpdump has written the last ping")
}

// What tshark is asked for: addresses, lengths, and what it says is wrong.
var fields = []string{
	"eth.type", "frame.len", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "vxlan.vni", "geneve.vni", "gre.key", "icmp.type", "icmpv6.type",
	"ip.checksum.status", "udp.checksum.status", "tcp.checksum.status", "icmp.checksum.status", "icmpv6.checksum.status", "_ws.malformed",
	"tcp.checksum",
}

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

// badChecksum is the status of one (epan/proto.h, PROTO_CHECKSUM_E_BAD).
const badChecksum = "0"

// negativeZero is a checksum that is as right as zero is. The kernel writes it whatever the
// protocol (include/net/checksum.h, CSUM_MANGLED_0); tshark minds it in TCP.
const negativeZero = "0xffff"

// reading is what tshark says of a packet: each field's values, from the outside to the inside.
type reading map[string][]string

// tshark reads what was captured, with every checksum verified.
func (c *capture) tshark() (all []reading) {
	c.Helper()
	argv := []string{
		"tshark", "-n", "-r", c.file, "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=;",
		"-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
		"-o", "udp.ignore_ipv6_zero_checksum:TRUE", // a tunnel packet needs none (RFC 6935)
	}
	for _, f := range fields {
		argv = append(argv, "-e", f)
	}
	for line := range strings.Lines(testenv.Output(c, "", argv...)) {
		r := reading{}
		for i, value := range strings.Split(strings.TrimSuffix(line, "\n"), "\t") {
			if value != "" {
				r[fields[i]] = strings.Split(value, ";")
			}
		}
		all = append(all, r)
	}
	return all
}

// wrong is what is not right with a packet, whatever it is.
func (r reading) wrong() (all []string) {
	all = append(all, r["_ws.malformed"]...)
	for _, f := range fields {
		switch {
		case !strings.HasSuffix(f, ".checksum.status") || !slices.Contains(r[f], badChecksum):
		case f == "tcp.checksum.status" && (r.quotes() || slices.Contains(r["tcp.checksum"], negativeZero)):
		default:
			all = append(all, f)
		}
	}
	if n, err := strconv.Atoi(r["frame.len"][0]); err != nil || n > underlayMTU+packet.EthernetLen {
		all = append(all, "frame.len "+r["frame.len"][0])
	}
	return all
}

// direction is a way through a network.
type direction struct {
	network int
	f       overlay.Family
	from    int // host
}

// read fails the test unless all that has passed is right, and has gone both ways of each
// network and family, from the hosts' own addresses and with the network's VNI.
func (c *capture) read(networks []network) {
	c.Helper()
	c.complete()
	ways, seen := map[string]direction{}, map[direction]int{}
	for i, n := range networks {
		for _, f := range n.inside() {
			for host := range names {
				ways[n.address(host, f).String()] = direction{i, f, host}
			}
		}
	}
	for i, r := range c.tshark() {
		if wrong := r.wrong(); len(wrong) > 0 {
			c.Errorf("packet %d: wrong %q\n%s", i+1, wrong, c.show(i+1))
		}
		for _, src := range slices.Concat(r["ip.src"], r["ipv6.src"]) {
			way, ok := ways[src]
			if !ok {
				continue
			}
			seen[way]++
			if err := r.outside(networks[way.network], way.from); err != nil {
				c.Errorf("packet %d from %s in %s: %v", i+1, src, networks[way.network], err)
			}
		}
	}
	for _, way := range ways {
		if seen[way] == 0 {
			c.Errorf("nothing from host %s over %s in %s", names[way.from], way.f, networks[way.network])
		}
	}
}

// show is all that tshark says of a packet.
func (c *capture) show(number int) string {
	c.Helper()
	return testenv.Output(c, "", "tshark", "-n", "-r", c.file, "-Y", fmt.Sprintf("frame.number == %d", number), "-V", "-x")
}

// outside holds what is around a packet from a host to what it should be.
func (r reading) outside(n network, host int) error {
	family, eth := "ip", "0x0800"
	if n.underlay == v6 {
		family, eth = "ipv6", "0x86dd"
	}
	if r["eth.type"][0] != eth {
		return fmt.Errorf("Ethernet type %s, want %s", r["eth.type"][0], eth)
	}
	for field, want := range map[string]netip.Addr{".src": local(host, n.underlay).Addr(), ".dst": local(1-host, n.underlay).Addr()} {
		if got := r[family+field][0]; got != want.String() {
			return fmt.Errorf("%s%s %s, want %s", family, field, got, want)
		}
	}
	if !n.e.HasVNI() {
		return nil
	}
	// Its packets have one of these.
	all := slices.Concat(r["vxlan.vni"], r["geneve.vni"], r["gre.key"])
	if len(all) == 0 {
		return fmt.Errorf("no VNI, want %v", n.vni())
	}
	if vni, err := strconv.ParseUint(all[0], 0, 32); err != nil || vni != uint64(n.vni()) {
		return fmt.Errorf("VNI %s, want %v", all[0], n.vni())
	}
	return nil
}
