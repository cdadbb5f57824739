package stock

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/internal/testenv/vm"
	"weft/overlay"
	"weft/packet"
	"weft/trace"
)

// box is a machine with tunnels, and the wires to its eth0 and eth1.
type box struct {
	*vm.Machine
	ns             string
	outside, inner *trace.Capture
	macs           [2][6]byte
}

// ours is the MAC of whoever is at the other end of both.
var ours = [6]byte{2, 0, 0, 0, 0, 1}

// boxAddresses are inside, at the near end of the tunnel and at its far end.
var boxAddresses = map[overlay.Family][2]netip.Addr{
	v4: {netip.MustParseAddr("10.1.0.10"), netip.MustParseAddr("10.2.0.11")},
	v6: {netip.MustParseAddr("fd01::10"), netip.MustParseAddr("fd02::11")},
}

// newBox makes it; nothing is sent there that is not asked for.
func newBox(t testing.TB) *box {
	t.Helper()
	ns := testenv.Namespace(t)
	testenv.Run(t, ns, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
	b := &box{ns: ns}
	b.Machine = vm.Start(t, vm.Linux612, vm.Options{NICs: []vm.NIC{{Namespace: ns, Device: "eth0"}, {Namespace: ns, Device: "eth1"}}})
	for i, into := range []**trace.Capture{&b.outside, &b.inner} {
		device := fmt.Sprintf("eth%d", i)
		testenv.Run(t, ns, "ip", "link", "set", device, "arp", "off", "up")
		c, err := trace.Open(trace.Options{Interface: device, Enter: func(f func() error) error { return netns.Do(ns, f) }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { check(t, c.Close()) })
		*into = c
	}
	said := b.Run(`
sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0 net.ipv6.auto_flowlabels=0
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip link add br0 type bridge mcast_snooping 0
sysctl -qw net.ipv6.conf.br0.disable_ipv6=1
for d in eth0 eth1; do ip link set $d addrgenmode none; done
ip link set br0 up
ip address add 192.0.2.2/24 dev eth0
ip address add 2001:db8::2/64 dev eth0 nodad
ip address add 10.1.0.1/24 dev eth1
ip address add fd01::1/64 dev eth1 nodad
for d in eth0 eth1; do ip link set $d up; done
for a in 192.0.2.1 2001:db8::1; do ip neigh replace $a lladdr 02:00:00:00:00:01 dev eth0; done
for a in 10.1.0.10 fd01::10; do ip neigh replace $a lladdr 02:00:00:00:00:01 dev eth1; done
cat /sys/class/net/eth0/address /sys/class/net/eth1/address`)
	for i, line := range strings.Fields(said) {
		mac, err := overlay.ParseMAC(line)
		if err != nil {
			t.Fatal(err)
		}
		b.macs[i] = mac
	}
	return b
}

// set makes a tunnel device over an underlay of some MTU, has what is to go through it go
// there, and returns its own. To start a program takes the machine long, so there are few.
func (b *box) set(t *testing.T, w wrapping, underlayMTU int) (mtu string) {
	t.Helper()
	way := "route add 10.2.0.0/24 dev t0\nroute add fd02::/64 dev t0"
	switch {
	case w.spec.Mode.Ethernet():
		way = "link set eth1 master br0\nlink set t0 master br0"
	case !slices.Contains(w.inside, v6):
		way = "route add 10.2.0.0/24 dev t0"
	}
	quiet := "echo 1 >/proc/sys/net/ipv6/conf/t0/disable_ipv6" // what the kernel sends by itself would be numbered, too
	if slices.Contains(w.inside, v6) {
		quiet = "echo 1 >/proc/sys/net/ipv6/conf/t0/addr_gen_mode"
	}
	return strings.TrimSpace(b.run(t, fmt.Sprintf(`
%s
ip -batch - <<end
link set eth0 mtu %d
link add t0 %s
end
%s
ip -batch - <<end
link set t0 up
%s
end
read mtu </sys/class/net/t0/mtu
echo $mtu`, w.before, underlayMTU, w.link, quiet, way)))
}

func (b *box) clear(t *testing.T, w wrapping) {
	t.Helper()
	b.run(t, strings.Replace(w.before, "fou add", "fou del", 1)+"\nip -batch - <<end\nlink delete t0\nlink set eth1 nomaster\nend")
}

// run runs a script for one of the tests.
func (b *box) run(t *testing.T, script string) string {
	t.Helper()
	out, err := b.Try(script)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// framesOf are those that have passed by now.
func framesOf(t testing.TB, c *trace.Capture) (all [][]byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	for f, err := range c.Frames(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, bytes.Clone(f.Data))
	}
	return all
}

// normalPort is the UDP source port that stands for any.
const normalPort = 50000

// normal is a frame of the kernel's with what it chooses by chance replaced: IPv4's
// identification, and a UDP source port, which is a hash with a random seed.
func normal(frame []byte) []byte {
	b := frame[packet.EthernetLen:]
	header, protocol := packet.IPv6Len, packet.Protocol(b[6])
	if b[0]>>4 == 4 {
		header, protocol = packet.IPv4MinLen, packet.Protocol(b[9])
		copy(b[4:6], []byte{0, 0})
		copy(b[10:12], []byte{0, 0})
		sum := packet.Checksum(b[:header])
		b[10], b[11] = byte(sum>>8), byte(sum)
	}
	if protocol == packet.ProtoUDP {
		b[header], b[header+1] = normalPort>>8, normalPort&0xff
	}
	return frame
}
