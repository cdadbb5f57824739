package user

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// node is a host with the plane on it, whose forwarder is a process, a workload, and on the
// other side of the underlay a peer that knows nothing of Weft.
type node struct {
	testing.TB
	host, workload string
	dir, netns     string
	version        string
	peer           foreign
	plane          *kernel.Plane
	forwarder      *Forwarder
	state          dataplane.State
}

// families is which ones a node has outside and inside.
type families struct{ outside, inside overlay.Family }

// addresses are the underlay's of node and peer, those inside of workload and peer.
func (f families) addresses() (local, remote, workload, peer netip.Addr, blocks [2]netip.Prefix, gateway netip.Prefix) {
	parse, prefix := netip.MustParseAddr, netip.MustParsePrefix
	local, remote = parse("192.0.2.1"), parse("192.0.2.2")
	if f.outside == overlay.V6 {
		local, remote = parse("2001:db8::1"), parse("2001:db8::2")
	}
	if f.inside == overlay.V6 {
		return local, remote, parse("fd07:0:0:1::2"), parse("fd07:0:0:2::2"),
			[2]netip.Prefix{prefix("fd07:0:0:1::/64"), prefix("fd07:0:0:2::/64")}, prefix("fd07::1/48")
	}
	return local, remote, parse("10.7.1.2"), parse("10.7.2.2"), [2]netip.Prefix{prefix("10.7.1.0/24"), prefix("10.7.2.0/24")}, prefix("10.7.0.1/16")
}

func newNode(t *testing.T, f families) *node {
	t.Helper()
	testenv.Need(t, "ip", "nsenter")
	n := &node{TB: t, host: testenv.Namespace(t), workload: testenv.Namespace(t), version: "1"}
	n.dir, n.netns = t.TempDir(), filepath.Join(t.TempDir(), "netns")
	far := testenv.Namespace(t)
	local, remote, mine, theirs, blocks, gateway := f.addresses()
	bits := map[overlay.Family]int{overlay.V4: 24, overlay.V6: 64}[f.outside]
	testenv.Run(t, n.host, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", far)
	for ns, a := range map[string]netip.Addr{n.host: local, far: remote} {
		testenv.Run(t, ns, "ip", "address", "add", netip.PrefixFrom(a, bits).String(), "dev", "eth0", "nodad")
		testenv.Run(t, ns, "ip", "link", "set", "eth0", "up")
		testenv.Run(t, ns, "ip", "link", "set", "lo", "up")
	}
	n.peer = newForeign(t, far, netip.PrefixFrom(theirs, theirs.BitLen()), gateway.Masked(), remote, local)
	mac := overlay.MAC{2, 0, 0, 0, 0, 1}
	n.state = dataplane.State{Node: "a", Generation: 1, Networks: map[overlay.NetworkName]dataplane.Network{"blue": {
		Settings: dataplane.Settings{
			Name: "blue", VNI: 4097, Kind: overlay.Routed, Encapsulation: overlay.EncapUDP, Port: overlay.DefaultUDPPort, Plane: overlay.PlaneUser,
			Local: local, VTEPMAC: overlay.VTEPMACFor("a"), MTU: 1400, UnderlayMTU: 1500, BUM: overlay.BUMReplicate,
			Gateways: []netip.Prefix{gateway}, GatewayMAC: overlay.VNI(4097).GatewayMAC(), Blocks: blocks[:1],
		},
		Ports: map[overlay.EndpointName]dataplane.Port{"e": {
			Name: "e", Kind: overlay.PortSingle, MAC: mac, Addresses: []netip.Addr{mine, mac.LinkLocal()}, Allowed: []netip.Addr{mine, mac.LinkLocal()},
			Attach: overlay.Attach{Type: overlay.AttachNetns, Target: n.workload}, Device: "we0",
		}},
		Members: map[overlay.NodeName]dataplane.Member{"b": {VTEP: remote, VTEPMAC: overlay.VTEPMACFor("b")}},
		Routes:  map[netip.Prefix]dataplane.Route{blocks[1]: {Node: "b"}},
	}}}
	n.start()
	t.Cleanup(func() {
		n.stop()
		_, err := Remove(n.dir)
		_, failed := kernel.Down(context.Background(), kernel.Options{NetnsDir: n.netns, StateDir: n.dir, Host: n.host})
		if err != nil || failed != nil {
			t.Errorf("take down: %v, %v", err, failed)
		}
	})
	n.apply()
	return n
}

// start is what an agent does when it starts.
func (n *node) start() {
	n.Helper()
	exe, err := os.Executable()
	if err != nil {
		n.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	n.forwarder, err = Open(Options{Dir: n.dir, Version: n.version, Log: log, Command: []string{
		"nsenter", "--net=" + n.host, "env", asForwarder + "=" + n.dir, asForwarder + "_VERSION=" + n.version, exe,
	}})
	if err == nil {
		n.plane, err = kernel.New(kernel.Options{NetnsDir: n.netns, StateDir: n.dir, Host: n.host, Carrier: n.forwarder})
	}
	if err != nil {
		n.Fatal(err)
	}
}

// stop is the end of an agent.
func (n *node) stop() {
	n.Helper()
	if err := n.plane.Close(); err != nil {
		n.Error(err)
	}
	if err := n.forwarder.Close(); err != nil {
		n.Error(err)
	}
}

func (n *node) apply() {
	n.Helper()
	if err := n.plane.Apply(context.Background(), n.state, nil); err != nil {
		n.Fatal(err)
	}
	seen, err := n.plane.Observe(context.Background(), "")
	if err != nil {
		n.Fatal(err)
	}
	for _, line := range seen.Networks["blue"].Differs {
		n.Error(line)
	}
}

// process is the forwarder's.
func (n *node) process() *os.File {
	n.Helper()
	p, err := running(n.dir)
	if err != nil {
		n.Fatal(err)
	}
	n.Cleanup(func() { _ = p.Close() })
	return p
}

// TestForeignPeer: TCP goes both ways, in every family.
func TestForeignPeer(t *testing.T) {
	t.Parallel()
	for _, f := range []families{{overlay.V4, overlay.V4}, {overlay.V4, overlay.V6}, {overlay.V6, overlay.V4}, {overlay.V6, overlay.V6}} {
		t.Run(fmt.Sprintf("%s-in-%s", f.inside, f.outside), func(t *testing.T) {
			t.Parallel()
			n := newNode(t, f)
			_, _, mine, theirs, _, _ := f.addresses()
			if err := transfer(n.workload, n.peer.ns, theirs); err != nil {
				t.Errorf("to the peer: %v", err)
			}
			if err := transfer(n.peer.ns, n.workload, mine); err != nil {
				t.Errorf("from the peer: %v", err)
			}
			n.counted()
		})
	}
}

// counted: what has gone over is in the report.
func (n *node) counted() {
	n.Helper()
	seen, err := n.plane.Observe(context.Background(), "blue")
	if err != nil {
		n.Fatal(err)
	}
	v := seen.Networks["blue"]
	if len(v.Nodes) != 1 || v.Nodes[0].Traffic == nil || v.Nodes[0].Traffic.From.Bytes < transferred || v.Nodes[0].Traffic.To.Bytes < transferred {
		n.Errorf("nodes %+v", v.Nodes)
	}
	if v.Traffic.Nodes == nil || v.Traffic.Nodes.From.Packets < v.Nodes[0].Traffic.From.Packets {
		n.Errorf("all nodes %+v", v.Traffic.Nodes)
	}
}

const transferred = 1 << 20

// transfer sends bytes over TCP from one namespace to an address in another.
func transfer(from, to string, at netip.Addr) error {
	var listener net.Listener
	if err := netns.Do(to, func() (err error) {
		listener, err = net.Listen("tcp", netip.AddrPortFrom(at, 0).String())
		return err
	}); err != nil {
		return err
	}
	defer listener.Close()
	var conn net.Conn
	if err := netns.Do(from, func() (err error) {
		conn, err = net.DialTimeout("tcp", listener.Addr().String(), 20*time.Second)
		return err
	}); err != nil {
		return err
	}
	defer conn.Close()
	got, err := listener.Accept()
	if err != nil {
		return err
	}
	defer got.Close()
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(make([]byte, transferred))
		sent <- err
	}()
	if err := got.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	_, err = io.ReadFull(got, make([]byte, transferred))
	if err != nil {
		_ = conn.Close()
	}
	if e := <-sent; err == nil {
		err = e
	}
	return err
}

// stream asks the peer again and again, one question after the other, and notes what is not answered.
type stream struct {
	asked, answered atomic.Uint64
	// lost ends the asking, and says how many got no answer; stop closes the sockets.
	lost func() uint64
	stop func()
}

func (n *node) stream(at netip.Addr) *stream {
	n.Helper()
	var echo, conn *net.UDPConn
	err := netns.Do(n.peer.ns, func() (err error) {
		echo, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 7)))
		return err
	})
	if err == nil {
		err = netns.Do(n.workload, func() (err error) {
			conn, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 7)))
			return err
		})
	}
	if err != nil {
		n.Fatal(err)
	}
	s, ending, asked, echoed := &stream{}, make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(echoed)
		for b := make([]byte, 64); ; {
			size, from, err := echo.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			_, _ = echo.WriteToUDPAddrPort(b[:size], from)
		}
	}()
	answer := func(patience time.Duration) bool {
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		_, err := conn.Read(make([]byte, 64))
		if err == nil {
			s.answered.Add(1)
		}
		return err == nil
	}
	go func() {
		defer close(asked)
		for {
			select {
			case <-ending:
				return
			default:
			}
			s.asked.Add(1)
			_, _ = conn.Write([]byte("?"))
			answer(100 * time.Millisecond)
		}
	}()
	end := sync.OnceFunc(func() {
		close(ending)
		<-asked
	})
	s.lost = func() uint64 {
		end()
		for s.answered.Load() < s.asked.Load() && answer(10*time.Second) { // late ones count
		}
		return s.asked.Load() - s.answered.Load()
	}
	s.stop = func() {
		end()
		_, _ = conn.Close(), echo.Close()
		<-echoed
	}
	return s
}

// goesOn waits until so many more questions were answered.
func (s *stream) goesOn(t testing.TB) {
	t.Helper()
	from := s.answered.Load()
	testenv.Eventually(t, 20*time.Second, func() error {
		if now := s.answered.Load(); now < from+20 {
			return fmt.Errorf("%d answers", now-from)
		}
		return nil
	}, "answers come")
}

// TestAgentEnds: an agent that ends and one that starts change nothing for packets.
func TestAgentEnds(t *testing.T) {
	t.Parallel()
	f := families{overlay.V4, overlay.V4}
	n := newNode(t, f)
	_, _, _, theirs, _, _ := f.addresses()
	s := n.stream(theirs)
	s.goesOn(t)
	for range 3 {
		n.stop()
		s.goesOn(t)
		n.start()
		n.apply()
		s.goesOn(t)
	}
	if lost := s.lost(); lost > 0 {
		t.Errorf("%d of %d packets were lost", lost, s.asked.Load())
	}
	s.stop()
}

// TestForwarderIsKilled: there is another within a second, whoever is there to notice.
func TestForwarderIsKilled(t *testing.T) {
	t.Parallel()
	f := families{overlay.V4, overlay.V4}
	n := newNode(t, f)
	_, _, _, theirs, _, _ := f.addresses()
	s := n.stream(theirs)
	s.goesOn(t)
	kill := func() {
		p := n.process()
		if err := unix.PidfdSendSignal(int(p.Fd()), unix.SIGKILL, nil, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := hasEnded(p, 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	kill()
	start := time.Now()
	s.goesOn(t)
	t.Logf("back after %v at most", time.Since(start))
	n.settles()

	n.stop()
	kill() // nobody is there
	n.start()
	s.goesOn(t)
	n.apply()
	s.stop()
}

// settles waits until nothing differs.
func (n *node) settles() {
	n.Helper()
	testenv.Eventually(n, 10*time.Second, func() error {
		seen, err := n.plane.Observe(context.Background(), "blue")
		if err == nil && len(seen.Networks["blue"].Differs) > 0 {
			err = fmt.Errorf("%v", seen.Networks["blue"].Differs)
		}
		return err
	}, "nothing differs")
}

// TestAnotherVersion takes the place of the one that runs.
func TestAnotherVersion(t *testing.T) {
	t.Parallel()
	f := families{overlay.V4, overlay.V4}
	n := newNode(t, f)
	_, _, _, theirs, _, _ := f.addresses()
	s := n.stream(theirs)
	s.goesOn(t)
	was := n.process()
	n.stop()
	n.version = "2"
	n.start()
	if ended, err := hasEnded(was, 10*time.Second); !ended || err != nil {
		t.Errorf("the old one has ended: %t, %v", ended, err)
	}
	s.goesOn(t)
	n.apply()
	if a, err := ask(n.dir, report); err != nil || a.Version != "2" {
		t.Errorf("version %q, %v", a.Version, err)
	}
	s.stop()
}

// TestLinkIsDeleted: when somebody deletes the link, the next Apply makes it again, and the
// forwarder opens it.
func TestLinkIsDeleted(t *testing.T) {
	t.Parallel()
	f := families{overlay.V4, overlay.V4}
	n := newNode(t, f)
	_, _, _, theirs, _, _ := f.addresses()
	s := n.stream(theirs)
	s.goesOn(t)
	testenv.Run(t, filepath.Join(n.netns, "weft-blue"), "ip", "link", "delete", "tun0")
	n.apply()
	s.goesOn(t)
	s.stop()
}

// TestNothingToDo: with the last link the process goes, and all that there was of it but its log.
func TestNothingToDo(t *testing.T) {
	t.Parallel()
	n := newNode(t, families{overlay.V4, overlay.V4})
	p := n.process()
	n.state.Networks = nil
	n.state.Generation++
	n.apply()
	if ended, err := hasEnded(p, 10*time.Second); !ended || err != nil {
		t.Errorf("ended: %t, %v", ended, err)
	}
	if _, err := os.Stat(filepath.Join(n.dir, jobsFile)); !os.IsNotExist(err) {
		t.Errorf("there is a file of jobs: %v", err)
	}
}
