package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// at is the number of a case.
func (m manyTunnels) at(name string) int {
	return slices.IndexFunc(m.cases, func(c tunnelCase) bool { return c.name == name })
}

// silent fails the test unless nothing comes back through the nth tunnel.
func (m manyTunnels) silent(t *testing.T, n int) {
	t.Helper()
	if m.reaches(n) == nil {
		t.Error("what should be refused came back")
	}
}

// wrongKey: a packet with a key that is not ours is refused.
func (m manyTunnels) wrongKey(t *testing.T) {
	n := m.at("gre, all options")
	testenv.Run(t, m.b.ns, "ip", "link", "set", "p1", "type", "gre", "okey", "0x333333")
	m.silent(t, n)
	testenv.Run(t, m.b.ns, "ip", "link", "set", "p1", "type", "gre", "okey", "0x111111")
	m.reach(t, n)
}

// badChecksum: a packet whose checksum is wrong is refused, and one without, where one is
// demanded.
func (m manyTunnels) badChecksum(t *testing.T) {
	n := m.at("gre, all options")
	const rules = `table netdev spoil { chain out { type filter hook egress device eth0 priority 0; ip protocol 47 @nh,192,16 set 0xdead; }; }`
	testenv.Run(t, m.b.ns, "ethtool", "-K", "eth0", "tx", "off") // else it is not computed before the wire
	testenv.Run(t, m.a.ns, "ethtool", "-K", "eth0", "rx", "off") // else it is not looked at
	testenv.Run(t, m.b.ns, "nft", rules)
	m.silent(t, n)
	testenv.Run(t, m.b.ns, "nft", "delete table netdev spoil")
	m.reach(t, n)
	testenv.Run(t, m.b.ns, "ip", "link", "set", "p1", "type", "gre", "noocsum")
	m.silent(t, n)
	testenv.Run(t, m.b.ns, "ip", "link", "set", "p1", "type", "gre", "ocsum")
	m.reach(t, n)
}

// tampering: what somebody does to a tunnel is announced, and repaired by one Apply.
func (m manyTunnels) tampering(t *testing.T) {
	m.a.t = t
	defer func() { m.a.t = m.t }()
	for _, line := range []string{
		"link set t0 type gre ttl 3", "link set t1 type gre ikey 5", "link set t0 down", "link set t2 mtu 1300",
		"link set t3 address 02:00:00:00:00:99", "link set t4 type ip6gre hoplimit 9", "link delete t5", "link delete t6",
		"address delete 10.1.6.1/24 dev t6", "link set t7 alias x", "link set t8 type ip6tnl encaplimit 3", "link set t9 type ip6tnl tclass 0x20",
		"link set t10 type geneve id 20 remote 192.0.2.2 ttl 9", "route add 198.51.100.0/24 dev t0 proto static",
	} {
		testenv.Run(t, m.a.ns, append([]string{"ip"}, strings.Fields(line)...)...)
		t.Log(line, "→", m.a.event().What)
		m.a.apply(m.state)
		m.a.tunnelsSettled()
		m.a.drain()
	}
	m.a.silence()
	for n := range m.cases {
		m.reach(t, n)
	}
}

// anotherRemote: a remote that is another, or unknown for a while, changes the link in place.
func (m manyTunnels) anotherRemote(t *testing.T) {
	m.a.t = t
	defer func() { m.a.t = m.t }()
	index := func(device string) string {
		return strings.Fields(testenv.Output(t, m.a.ns, "ip", "-o", "link", "show", device))[0]
	}
	for _, name := range []string{"gre", "gre6", "ipip", "sit", "ipip6", "geneve"} {
		device := fmt.Sprintf("t%d", m.at(name))
		tunnel := m.state.Tunnels[overlay.TunnelName(device)]
		before, right := index(device), tunnel.Remote
		for _, remote := range []netip.Addr{{}, right} {
			tunnel.Remote = remote
			m.state.Tunnels[tunnel.Name] = tunnel
			m.a.apply(m.state)
			m.a.tunnelsSettled()
		}
		if index(device) != before {
			t.Errorf("%s: the link was made again", name)
		}
		m.reach(t, m.at(name))
	}
}

// down leaves nothing.
func (m manyTunnels) down(t *testing.T) {
	removed, err := Down(context.Background(), m.a.plane.Options)
	removed = slices.DeleteFunc(removed, func(what string) bool { return !strings.HasPrefix(what, "tunnel ") }) // routes need settings
	if err != nil || len(removed) != len(m.cases) {
		t.Errorf("removed %q: %v", removed, err)
	}
	links := testenv.Output(t, m.a.ns, "ip", "-br", "link")
	for l := range strings.Lines(links) {
		device, _, _ := strings.Cut(strings.Fields(l)[0], "@")
		if _, ours := m.state.Tunnels[overlay.TunnelName(device)]; ours {
			t.Errorf("%s is still there", device)
		}
	}
	if _, err := os.Stat(filepath.Join(m.a.plane.StateDir, "sysctls.json")); err == nil {
		t.Error("settings are still remembered")
	}
}

// explained: the commands that Explain prints, run by the real tools on another host, make the
// same links, and the same on them.
func (m manyTunnels) explained(t *testing.T) {
	other := newBed(t, 1).hosts[0] // with a's addresses
	if _, err := feed(other.ns, strings.Join(Explain(m.state, other.dir, nil), "\n"), "sh", "-e"); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"-d -o link show", "-o address show", "route show", "-6 route show", "neigh show nud permanent"} {
		byPlane, byHand := onTunnels(t, m.a.ns, what), onTunnels(t, other.ns, what)
		for n, c := range m.cases {
			device := fmt.Sprintf("t%d", n)
			if byPlane[device] != byHand[device] {
				t.Errorf("%s, ip %s\nby the plane: %s\nby hand:      %s", c.name, what, byPlane[device], byHand[device])
			}
			routes := what == "route show" && slices.Contains(c.inner, overlay.V4) || what == "-6 route show" && slices.Contains(c.inner, overlay.V6)
			if routes && !strings.Contains(byPlane[device], "proto static") {
				t.Errorf("%s: no route: %s", c.name, byPlane[device])
			}
		}
	}
}

// onTunnels is what ip shows of each tunnel of a host.
func onTunnels(t *testing.T, ns, what string) map[string]string {
	t.Helper()
	shown, device := map[string]string{}, regexp.MustCompile(`\bt\d+\b`)
	for line := range strings.Lines(testenv.Output(t, ns, append([]string{"ip"}, strings.Fields(what)...)...)) {
		shown[device.FindString(line)] += incidentalWords(line) + "\n"
	}
	return shown
}

// incidentalWords takes out what differs from link to link: its number, a MAC that the kernel
// made up, and the link-local address that follows from that.
func incidentalWords(shown string) string {
	shown = regexp.MustCompile(`(?m)^\d+: `).ReplaceAllString(shown, "")
	shown = regexp.MustCompile(`(link/ether|permaddr) [0-9a-f:]+|inet6 fe80::\S+`).ReplaceAllString(shown, "(its own)")
	return strings.Join(strings.Fields(shown), " ")
}

// streamSize is more than the packets that one buffer, cut by the host or the device, makes.
const streamSize = 256 << 10

// stream sends to the nth tunnel's far end by TCP, of each family that passes, what comes back.
func (m manyTunnels) stream(t *testing.T, n int) {
	t.Helper()
	for _, a := range m.cases[n].addressesOf(n, 1) {
		if err := m.echoes(t.Context(), netip.AddrPortFrom(a.Addr(), 7)); err != nil {
			t.Errorf("by TCP: %v", err)
		}
	}
}

// echoes reports whether what is sent to an address of host b comes back.
func (m manyTunnels) echoes(ctx context.Context, at netip.AddrPort) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var listener net.Listener
	if err := netns.Do(m.b.ns, func() (err error) {
		listener, err = new(net.ListenConfig).Listen(ctx, "tcp", at.String())
		return err
	}); err != nil {
		return err
	}
	var both errgroup.Group
	both.Go(func() error {
		c, err := listener.Accept()
		if err != nil {
			return err
		}
		_, err = io.Copy(c, c)
		return errors.Join(err, c.Close())
	})
	err := netns.Do(m.a.ns, func() error {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", at.String())
		if err != nil {
			return err
		}
		defer c.Close()
		deadline, _ := ctx.Deadline()
		if err := c.SetDeadline(deadline); err != nil {
			return err
		}
		sent := bytes.Repeat([]byte("what goes out comes back. "), streamSize/26)
		both.Go(func() error {
			_, err := c.Write(sent)
			return errors.Join(err, c.(*net.TCPConn).CloseWrite())
		})
		got, err := io.ReadAll(c)
		if err == nil && !bytes.Equal(got, sent) {
			err = fmt.Errorf("%d bytes came back of %d, or others", len(got), len(sent))
		}
		return err
	})
	return errors.Join(err, listener.Close(), both.Wait())
}
