package ebpf

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/dataplane/kernel"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// What tunnels forward is not interrupted when other programs take over; captures, filters and
// counters of the host's see it as on any interface; and when all is undone, while packets still
// come, nothing is left and nothing of others' is touched.
func TestTunnelLife(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	run := func(line string) string {
		t.Helper()
		return testenv.Output(t, b.on.Namespace, "sh", "-ec", line)
	}
	run("ip link add theirs type vxlan id 78 dstport 4789 remote 192.0.2.3 local 192.0.2.1; ip link set theirs up")
	before, qdiscs := run("ip -o link | cut -d: -f2; ip route"), b.qdiscs(t)
	elsewhere := handMade(t, 77)

	state := dataplane.State{Node: "a", Tunnels: aloneTunnels()}
	b.apply(t, state)
	b.settled(t)
	b.answers(t, state.Tunnels)
	elsewhere("while a tunnel has its VNI")

	run("nft 'table inet seen { chain in { type filter hook input priority 0; iifname site counter; }; }'")
	captured := make(chan string)
	listening, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	go func() { captured <- capture(listening, b.on.Namespace, "site", 10) }()
	packets := &pings{b: b, tunnels: state.Tunnels}
	upgraded := make(chan error, 1)
	go func() {
		var both errgroup.Group
		both.Go(func() error { return b.upgrade(testenv.Rounds(3, 50), "") })
		both.Go(func() error { return b.Apply(state, nil) })
		upgraded <- both.Wait()
	}()
	text := ""
	for running := true; running || text == ""; {
		select {
		case err := <-upgraded:
			running = false
			if err != nil {
				t.Error(err)
			}
		case text = <-captured:
		default:
		}
		if err := packets.send(20); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(text, "IP 10.99.1.2 > 10.99.1.1: ICMP echo request") || !strings.Contains(text, "IP 10.99.1.1 > 10.99.1.2: ICMP echo reply") {
		t.Errorf("tcpdump on the interface has seen\n%s", text)
	}
	if seen := run("nft list table inet seen"); strings.Contains(seen, "packets 0 ") {
		t.Errorf("a filter of the host's has counted nothing:\n%s", seen)
	}
	b.apply(t, state)
	b.settled(t)

	ended := make(chan error, 1)
	go func() {
		_, err := kernel.Down(context.Background(), kernel.Options{NetnsDir: b.on.NetnsDir, StateDir: b.on.StateDir, Host: b.on.Namespace})
		if err == nil {
			err = Remove(b.options.Dir, b.on.Namespace)
		}
		ended <- err
	}()
	for running := true; running; {
		select {
		case err := <-ended:
			running = false
			if err != nil {
				t.Error(err)
			}
		default:
			_ = packets.send(5) // from some moment on nobody answers
		}
	}
	b.awaitDetached(t, "eth0")
	if after := run("ip -o link | cut -d: -f2; ip route"); after != before || b.qdiscs(t) != qdiscs {
		t.Errorf("links, routes and qdiscs were\n%s%s\nand are\n%s%s", before, qdiscs, after, b.qdiscs(t))
	}
	elsewhere("when the tunnel has gone")
}

// command is one that runs in a namespace.
func command(ctx context.Context, ns string, argv ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + ns}, argv...)...)
}

// capture is what tcpdump says of so many packets on an interface.
func capture(ctx context.Context, ns, device string, packets int) string {
	out, err := command(ctx, ns, "tcpdump", "--immediate-mode", "-Z", "root", "-lnqti", device, "-c", fmt.Sprint(packets), "icmp").CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s\n%v", out, err)
	}
	return string(out)
}

// handMade is a vxlan with a VNI that somebody has made in namespaces of his own. The function fails the test
// unless it works.
func handMade(t *testing.T, vni int) (works func(when string)) {
	t.Helper()
	near, far := testenv.Namespace(t), testenv.Namespace(t)
	testenv.Run(t, near, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", far)
	for i, ns := range []string{near, far} {
		testenv.Run(t, ns, "sh", "-ec", fmt.Sprintf(`ip link set lo up; ip address add 192.0.2.%d/24 dev eth0; ip link set eth0 up
ip link add vx type vxlan id %d dstport 4789 local 192.0.2.%d remote 192.0.2.%d; ip address add 10.98.0.%d/24 dev vx; ip link set vx up`, i+1, vni, i+1, 2-i, i+1))
	}
	return func(when string) {
		t.Helper()
		if out, err := command(t.Context(), near, "ping", "-nqc2", "-i0.1", "-w20", "10.98.0.2").CombinedOutput(); err != nil {
			t.Errorf("somebody's own vxlan %s: %s", when, out)
		}
	}
}

// Of a host with two underlay devices packets leave by that which was said, and by the one
// that the host's routes say else.
func TestTunnelDevices(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	run := func(line string) string {
		t.Helper()
		return testenv.Output(t, b.on.Namespace, "sh", "-ec", line)
	}
	run(`ip link add eth1 type veth peer name far1; ip link set far1 up arp off; ip link set eth1 up
ip address add 198.51.100.1/24 dev eth1; ip neigh add 192.0.2.2 lladdr 02:75:00:00:00:02 dev eth1 nud permanent`)
	tunnels := tunnelsFrom(netip.MustParseAddr("198.51.100.1"), map[overlay.TunnelName]overlay.TunnelSpec{
		"routed": {Mode: overlay.TunnelVXLAN, VNI: 80},
		"said":   {Mode: overlay.TunnelGRE, Underlay: "eth1"},
	})
	b.apply(t, dataplane.State{Node: "a", Tunnels: tunnels})
	b.settled(t)
	routed, said := map[overlay.TunnelName]dataplane.Tunnel{"routed": tunnels["routed"]}, tunnels["said"]
	b.answers(t, routed)
	sent := func() (n int) {
		if _, err := fmt.Sscan(run("awk '/eth1:/ { print $11 }' /proc/net/dev"), &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const questions = 7
	was := sent()
	for range questions {
		if err := b.Inject(dataplanetest.Underlay, asked(said, []byte(mark))); err != nil {
			t.Fatal(err)
		}
	}
	got, err := b.Deliveries()
	if err != nil {
		t.Fatal(err)
	}
	got = marked(got)
	if now := sent(); len(got) > 0 || now < was+questions {
		t.Errorf("%d packets left by eth0, %d by eth1, want none and %d", len(got), now-was, questions)
	}
}

// Tunnels may exchange what tells their packets apart.
func TestTunnelsExchange(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	seven := overlay.GREKey(7)
	specs := map[overlay.TunnelName]overlay.TunnelSpec{
		"plain": {Mode: overlay.TunnelGRE}, "keyed": {Mode: overlay.TunnelGRE, InKey: &seven, OutKey: &seven},
		"first": {Mode: overlay.TunnelVXLAN, VNI: 77}, "second": {Mode: overlay.TunnelVXLAN, VNI: 78},
	}
	for range 3 {
		all := tunnelsFrom(dataplanetest.Local(overlay.V4).Addr(), specs)
		b.apply(t, dataplane.State{Node: "a", Tunnels: all})
		b.settled(t)
		maps.DeleteFunc(all, func(_ overlay.TunnelName, t dataplane.Tunnel) bool { return t.Spec.InKey != nil }) // asked has no key
		b.answers(t, all)
		specs["plain"], specs["keyed"] = specs["keyed"], specs["plain"]
		specs["first"], specs["second"] = specs["second"], specs["first"]
	}
}

// A port that another program has is named with that program, and nothing is left of the tunnel.
func TestTunnelPortTaken(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	links := func() string {
		return testenv.Output(t, b.on.Namespace, "sh", "-c", "ip -br link | awk '{print $1, $3}'")
	}
	for _, s := range []overlay.TunnelSpec{{Mode: overlay.TunnelVXLAN, VNI: 77}, {Mode: overlay.TunnelGeneve, VNI: 77}} {
		port := s.Mode.DefaultPort()
		var held net.PacketConn
		if err := netns.Do(b.on.Namespace, func() (err error) {
			held, err = new(net.ListenConfig).ListenPacket(t.Context(), "udp4", fmt.Sprintf(":%d", port))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		before := links()
		state := dataplane.State{Node: "a", Tunnels: tunnelsFrom(dataplanetest.Local(overlay.V4).Addr(), map[overlay.TunnelName]overlay.TunnelSpec{"site": s})}
		err := b.Apply(state, nil)
		want := fmt.Sprintf("tunnel site: UDP port %d of this host is held by process %d (ebpf.test): stop it, or give the tunnel another port", port, os.Getpid())
		if err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
		if after := links(); after != before {
			t.Errorf("was\n%sis\n%s", before, after)
		}
		if err := held.Close(); err != nil {
			t.Fatal(err)
		}
		b.apply(t, state)
		b.settled(t)
		b.apply(t, dataplane.State{Node: "a"})
	}
}
