package nft

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// directHost is a node on a segment, with a domain that its host routes to, and an
// endpoint behind that. The host has the firewall that Docker gives it.
type directHost struct {
	*bed                    // the host's namespace
	domain, endpoint string // namespaces
	network          dataplane.Network
}

const directMTU = 1400

// directPair are nodes 1 and 2.
func directPair(t testing.TB) [2]*directHost {
	t.Helper()
	testenv.Need(t, "iptables", "ip6tables", "ping")
	wire := testenv.Namespace(t)
	testenv.Run(t, wire, "ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
	testenv.Run(t, wire, "ip", "link", "set", "br0", "up")
	return [2]*directHost{newDirectHost(t, wire, 1), newDirectHost(t, wire, 2)}
}

func newDirectHost(t testing.TB, wire string, node byte) *directHost {
	t.Helper()
	other := 3 - node
	h := &directHost{
		bed: newBed(t), domain: testenv.Namespace(t), endpoint: testenv.Namespace(t),
		network: network(overlay.Routed, overlay.V4, routes(true, other), none),
	}
	h.network.Blocks = []netip.Prefix{
		netip.MustParsePrefix(fmt.Sprintf("10.7.%d.0/24", node)), netip.MustParsePrefix(fmt.Sprintf("fd07:0:0:%d::/64", node)),
	}
	d := directOf(h.network)
	h.ip(h.ns, fmt.Sprintf(`
		link set lo up
		link add eth0 mtu %[1]d type veth peer name p%[2]d mtu %[1]d netns %[3]s
		address add 192.0.2.%[2]d/24 dev eth0
		address add 2001:db8:ffff::%[2]d/64 dev eth0 nodad
		link set eth0 up
		link add %[4]s mtu %[1]d type veth peer name host0 mtu %[1]d netns %[5]s
		address add 169.254.119.2/32 dev %[4]s
		address add fe80::2/64 dev %[4]s nodad
		link set %[4]s up`, directMTU, node, name(wire), d.Link, name(h.domain)))
	h.ip(wire, fmt.Sprintf(`link set p%d master br0 up`, node))
	h.ip(h.domain, fmt.Sprintf(`
		link set lo up
		link set host0 address %[1]s addrgenmode none
		address add %[2]s/32 dev host0
		address add %[3]s/64 dev host0 nodad
		link set host0 up
		route add 169.254.119.2 dev host0
		route add default via 169.254.119.2 dev host0
		route add default via fe80::2 dev host0
		link add we0 mtu 1500 type veth peer name eth0 mtu 1500 netns %[4]s
		link set we0 address %[1]s addrgenmode none
		address add 10.7.0.1/32 dev we0
		address add fd07::1/128 dev we0 nodad
		address add fe80::1/64 dev we0 nodad
		link set we0 up
		route add 10.7.%[5]d.16 dev we0
		route add fd07:0:0:%[5]d::10 dev we0`, h.network.GatewayMAC, d.Hop4, d.Hop6, name(h.endpoint), node))
	h.ip(h.endpoint, fmt.Sprintf(`
		link set lo up
		address add 10.7.%[1]d.16/32 dev eth0
		address add fd07:0:0:%[1]d::10/128 dev eth0 nodad
		link set eth0 up
		route add 10.7.0.1 dev eth0
		route add default via 10.7.0.1
		route add default via fe80::1 dev eth0`, node))
	h.ip(h.ns, fmt.Sprintf(`
		route add 10.7.%[1]d.0/24 via %[2]s dev %[3]s onlink
		route add fd07:0:0:%[1]d::/64 via %[4]s dev %[3]s
		route add 10.7.%[5]d.0/24 via 192.0.2.%[5]d
		route add fd07:0:0:%[5]d::/64 via 2001:db8:ffff::%[5]d`, node, d.Hop4, d.Link, d.Hop6, other))
	for _, ns := range []string{h.ns, h.domain} {
		testenv.Run(t, ns, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
	}
	// What the other domain answers comes from addresses that this one has too.
	testenv.Run(t, h.domain, "sysctl", "-qw", "net.ipv4.conf.all.accept_local=1")
	h.firewall()
	return h
}

// ip runs lines of ip(8).
func (h *directHost) ip(ns, lines string) {
	h.Helper()
	testenv.Run(h, ns, "sh", "-ec", "ip -force -batch - <<'end'\n"+strings.ReplaceAll(lines, "\t", "")+"\nend")
}

func name(ns string) string { return ns[strings.LastIndexByte(ns, '/')+1:] }

// firewall is what Docker installs (libnetwork, iptables): what is forwarded and not its own
// is dropped, and what leaves gets the host's address.
func (h *directHost) firewall() {
	h.Helper()
	for _, tool := range []string{"iptables", "ip6tables"} {
		testenv.Run(h, h.ns, tool, "-P", "FORWARD", "DROP")
		testenv.Run(h, h.ns, tool, "-A", "FORWARD", "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT")
		testenv.Run(h, h.ns, tool, "-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE")
	}
}

// ping is what ping(8) says of one packet to the other's endpoint.
func (h *directHost) ping(to string, options ...string) string {
	h.Helper()
	args := append([]string{"sh", "-c", `ping -n -c1 -W0.5 "$@" 2>&1 || true`, "ping"}, options...)
	return testenv.Output(h, h.endpoint, append(args, to)...)
}

func TestDirect(t *testing.T) {
	t.Parallel()
	pair := directPair(t)
	a, b := pair[0], pair[1]
	addresses := map[string]string{"10.7.2.16": "10.7.1.16", "fd07:0:0:2::10": "fd07:0:0:1::10"}
	// The control: without our rules the firewall cuts it.
	for to := range addresses {
		if out := a.ping(to); !strings.Contains(out, "100% packet loss") {
			t.Fatalf("the firewall lets it through: %s", out)
		}
	}
	for _, h := range pair {
		h.apply(hosts(h.network))
	}
	for to, source := range addresses {
		t.Run(to, func(t *testing.T) { directPasses(t, a, b, to, source) })
	}
	// Nobody else gets through, and without the rules nobody does.
	a.ip(a.endpoint, "address add 10.7.9.9/32 dev eth0")
	if out := a.ping("10.7.2.16", "-I", "10.7.9.9"); !strings.Contains(out, "100% packet loss") {
		t.Errorf("from outside the blocks: %s", out)
	}
	a.apply(hosts())
	for to := range addresses {
		if out := a.ping(to); !strings.Contains(out, "100% packet loss") {
			t.Errorf("without rules: %s", out)
		}
	}
}

func directPasses(t *testing.T, a, b *directHost, to, source string) {
	// Four routers: two domains, two hosts.
	const ttl = "64 bytes from "
	testenv.Eventually(t, 5*time.Second, func() error {
		if out := a.ping(to); !strings.Contains(out, ttl+to) || !strings.Contains(out, "ttl=60") {
			return errors.New(out)
		}
		return nil
	}, "an answer over four hops")
	for hops := 1; hops <= 4; hops++ {
		if out := a.ping(to, "-t", fmt.Sprint(hops)); !strings.Contains(out, "Time to live exceeded") && !strings.Contains(out, "Hop limit") {
			t.Errorf("TTL %d: %s", hops, out)
		}
	}
	// The endpoint's link takes more than the underlay: the domain says so, and cuts what may be cut.
	if out := a.ping(to, "-M", "do", "-s", "1440"); !strings.Contains(out, "mtu = 1400") && !strings.Contains(out, "mtu=1400") {
		t.Errorf("too large: %s", out)
	}
	// With IPv6 only the sender cuts, once it has been told so; both ends are senders.
	testenv.Eventually(t, 5*time.Second, func() error {
		if out := a.ping(to, "-M", "dont", "-s", "3000"); !strings.Contains(out, "3008 bytes from ") {
			return errors.New(out)
		}
		return nil
	}, "an answer in pieces")
	if got := transfer(t, a.endpoint, b.endpoint, to); got != source {
		t.Errorf("the other end sees %s, want %s", got, source)
	}
}

// transfer sends a few megabytes over TCP, which the kernel sends in pieces of 64 KiB,
// and returns the source that the receiver sees.
func transfer(t *testing.T, from, at, to string) (source string) {
	t.Helper()
	const size = 8 << 20
	var l net.Listener
	if err := netns.Do(at, func() (err error) {
		l, err = net.Listen("tcp", net.JoinHostPort(to, "0"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	received := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			received <- err
			return
		}
		defer c.Close()
		source = netip.MustParseAddrPort(c.RemoteAddr().String()).Addr().String()
		n, err := io.Copy(io.Discard, c)
		if err == nil && n != size {
			err = fmt.Errorf("%d bytes came, want %d", n, size)
		}
		received <- err
	}()
	if err := netns.Do(from, func() error {
		c, err := net.DialTimeout("tcp", l.Addr().String(), 2*time.Second)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			return err
		}
		_, err = io.Copy(c, bytes.NewReader(make([]byte, size)))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-received; err != nil {
		t.Error(err)
	}
	return source
}
