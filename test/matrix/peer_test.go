package matrix

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/internal/testenv/vm"
	"weft/overlay"
)

// peer is who is at the far end of the wire.
type peer interface {
	// join has it take part in a row, in place of the last one.
	join(t testing.TB, r row)
	// ask has its end of the row ping; what came of it is in the same order.
	ask(t testing.TB, r row, all []echo) []error
}

// machine is a peer whose kernel is another.
type machine struct {
	*vm.Machine
	typist
}

// newMachine makes one that hangs on a wire.
func newMachine(t testing.TB, wire string) peer {
	t.Helper()
	m := &machine{Machine: vm.Start(t, vm.Linux612, vm.Options{
		Files: map[string]string{"/data": dataFile(t)}, NICs: []vm.NIC{{Namespace: wire, Device: "far"}},
	})}
	testenv.Run(t, wire, "ip", "link", "set", "far", "master", "br0", "up")
	m.Run(underlay(far) + `
sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0 net.ipv4.igmp_max_memberships=1000
(exec nc -ll -p ` + strconv.Itoa(sinkPort) + ` -e sha256sum) >/dev/null 2>&1 &
(exec nc -ll -p ` + strconv.Itoa(sourcePort) + ` -e cat /data) >/dev/null 2>&1 &`)
	return m
}

func (m *machine) join(t testing.TB, r row) {
	t.Helper()
	if _, err := m.Try(m.script(t, r)); err != nil {
		t.Fatal(err)
	}
}

// ask has all pings in one script: a machine takes long to be asked.
func (m *machine) ask(t testing.TB, r row, all []echo) []error {
	t.Helper()
	script, errs := "", make([]error, len(all))
	for i, e := range all {
		script += fmt.Sprintf("ping -nq -c1 -i%g -w%.0f -Mdo -s%d", again.Seconds(), patience.Seconds(), e.size-headersOf[overlay.FamilyOf(e.to)])
		if e.device != "" {
			script += " -I " + e.device
		}
		if e.to == r.broadcast() {
			script += " -b"
		}
		script += fmt.Sprintf(" %s 2>&1 || echo failed %d\n", e.to, i)
	}
	out, err := m.Try(script)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if slices.Contains(strings.Split(out, "\n"), fmt.Sprintf("failed %d", i)) {
			errs[i] = fmt.Errorf("%w:\n%s", errUnanswered, out)
		}
	}
	return errs
}

// underlay has a host's eth0 answer for its addresses.
func underlay(host int) string {
	return `
sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0
ip link set lo up
ip address add ` + local(host, v4).String() + ` dev eth0
ip address add ` + local(host, v6).String() + ` dev eth0 nodad
ip link set eth0 up
`
}

// neighbor is a peer in a namespace with the same kernel.
type neighbor struct {
	typist
	ns string
}

func newNeighbor(t testing.TB, wire string) peer {
	t.Helper()
	n := &neighbor{ns: plug(t, wire, "far")}
	answerAll(t, n.ns)
	testenv.Run(t, n.ns, "sysctl", "-qw", "net.ipv4.igmp_max_memberships=1000") // those of links that have gone count
	testenv.Run(t, n.ns, "sh", "-ec", underlay(far))
	serve(t, n.ns)
	return n
}

func (n *neighbor) join(t testing.TB, r row) {
	t.Helper()
	testenv.Run(t, n.ns, "sh", "-ec", n.script(t, r))
}

func (n *neighbor) ask(_ testing.TB, _ row, all []echo) []error { return askAll(n.ns, all) }

// askAll pings from a namespace.
func askAll(ns string, all []echo) (errs []error) {
	for _, e := range all {
		errs = append(errs, e.ask(ns))
	}
	return errs
}

// other is Weft on another plane.
type other struct {
	*host
	last group
}

func newOther(t testing.TB, wire string) peer {
	t.Helper()
	ns := plug(t, wire, "far")
	testenv.Run(t, ns, "sh", "-ec", underlay(far))
	answerAll(t, ns)
	o := &other{host: newHost(t, ns)}
	serve(t, o.ns)
	serve(t, o.workload)
	t.Cleanup(o.last.leave)
	return o
}

func (o *other) join(t testing.TB, r row) {
	t.Helper()
	o.forward(t, r, far)
	check(t, o.last.join(o.end(r), r.device()))
}

func (o *other) ask(_ testing.TB, r row, all []echo) []error { return askAll(o.end(r), all) }

// plug makes a namespace whose eth0 hangs on a wire, by a port there. Nobody behind it fills in
// checksums: what is on the wire is final.
func plug(t testing.TB, wire, port string) (ns string) {
	t.Helper()
	ns = testenv.Namespace(t)
	testenv.Run(t, wire, "ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", filepath.Base(ns))
	testenv.Run(t, wire, "ip", "link", "set", port, "master", "br0", "up")
	testenv.Run(t, ns, "ethtool", "-K", "eth0", "tx", "off")
	return ns
}

// group is a membership in that of OSPF's routers (RFC 2328 appendix A.1).
type group struct{ socket *net.UDPConn }

var ospf = net.IPv4(224, 0, 0, 5)

// join has a device be a member, and the last one not any more.
func (g *group) join(ns, device string) error {
	g.leave()
	return netns.Do(ns, func() (err error) {
		if g.socket, err = net.ListenUDP("udp4", nil); err != nil {
			return err
		}
		raw, err := g.socket.SyscallConn()
		if err != nil {
			return err
		}
		link, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		if control := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP,
				&unix.IPMreqn{Multiaddr: [4]byte(ospf.To4()), Ifindex: int32(link.Index)})
		}); control != nil {
			return control
		}
		return err
	})
}

func (g *group) leave() {
	if g.socket != nil {
		_ = g.socket.Close() // nothing was written
	}
}
