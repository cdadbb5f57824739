package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/internal/testenv"
)

// a tunnel from host b to host a, where it is made by hand.
const vxlanByHand = `kind: Tunnel
name: site
spec:
  mode: vxlan
  vni: 20
  local: 192.0.2.12
  remote: 192.0.2.11
  addresses: [10.1.1.2/24]
  routes:
  - {prefix: 10.1.5.0/24, via: 10.1.1.1, metric: 20}
  keepAlive: {target: 10.1.1.1, intervalMilliseconds: 200}
`

// TestLocal: a host is made what a file declares, without server, token or store, kept so
// when its agent is killed or the host boots again, and is as before after weft down.
func TestLocal(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "sysctl")
	s := hosts(t)
	v := &visited{host: s.b, places: map[string]string{"host": s.b.Path()}}
	v.untouched = v.look(t)
	for _, command := range []string{
		"ip link add site type vxlan id 20 remote 192.0.2.12 dstport 4789 dev eth0",
		"ip link set site up", "ip address add 10.1.1.1/24 dev site", "ip address add 10.1.5.1/24 dev site",
	} {
		testenv.Run(t, s.a.Path(), strings.Fields(command)...)
	}
	file := v.file(vxlanByHand)

	if said := v.weft("apply --local %s", file); said != "tunnel site is there\n" {
		t.Errorf("weft apply --local says %q", said)
	}
	s.pings(&v.Namespace, "10.1.5.1")
	route := strings.TrimSpace(testenv.Output(t, v.Path(), "ip", "route", "show", "10.1.5.0/24"))
	if want := "10.1.5.0/24 via 10.1.1.1 dev site proto static metric 20"; route != want {
		t.Errorf("the route is %q, want %q", route, want)
	}
	if status := v.weft("status"); !strings.Contains(status, "none: follows a file") || strings.Contains(status, "credentials") {
		t.Errorf("weft status says\n%s", status)
	}
	if list := v.weft("tunnel ls"); saysAll(list, "site", "vxlan", "192.0.2.11", "up") != nil {
		t.Errorf("weft tunnel ls says\n%s", list)
	}
	if stats := v.weft("tunnel stats"); strings.Contains(stats, "not counted") {
		t.Errorf("weft tunnel stats says\n%s", stats)
	}

	// What cannot be changes nothing, and is said in one line.
	before := v.look(t)
	for want, wrong := range map[string]string{
		"mode ipip has no VNI":             strings.Replace(vxlanByHand, "mode: vxlan", "mode: ipip", 1),
		"are of different families":        strings.Replace(vxlanByHand, "remote: 192.0.2.11", "remote: 2001:db8:1::11", 1),
		"an interface name has at most 15": strings.Replace(vxlanByHand, "spec:", "spec:\n  device: much-too-long-a-name", 1),
		"this kernel has no gre device":    strings.Replace(vxlanByHand, "mode: vxlan\n  vni: 20", "mode: gre\n  plane: kernel", 1),
		"is for node c":                    strings.Replace(vxlanByHand, "spec:", "spec:\n  node: c", 1),
	} {
		if did := v.try("apply --local %s", v.file(wrong)); did.code == 0 || !strings.Contains(did.stderr, want) || strings.Count(did.stderr, "\n") != 1 {
			t.Errorf("%v\nwant one line that says %q", did, want)
		}
	}
	v.try("tunnel rm site").refused(t, 3, "this host follows a file and no server")
	if err := before.differs(v.look(t)); err != nil {
		t.Errorf("what was refused changed something: %v", err)
	}

	// Nor does what the host refuses: a port that another program has.
	held := v.holds("udp4", 8472)
	second := vxlanByHand + strings.NewReplacer("site", "second", "vni: 20", "vni: 21\n  port: 8472", "10.1.", "10.2.").Replace("---\n"+vxlanByHand)
	holder := fmt.Sprintf("UDP port 8472 of this host is held by process %d (e2e.test): stop it, or give the tunnel another port", os.Getpid())
	if did := v.try("apply --local %s", v.file(second)); did.code == 0 || !strings.Contains(did.stderr, holder) || strings.Count(did.stderr, "\n") != 1 {
		t.Errorf("%v\nwant one line that says %q", did, holder)
	}
	if err := before.differs(v.look(t)); err != nil {
		t.Errorf("what the host has refused changed something: %v", err)
	}
	held()
	v.refusesAsItWas(t, second)
	v.weft("apply --local %s", v.file(second))
	v.weft("apply --local %s", file)

	// The agent is killed: nothing moves. The host boots again: everything is back, as soon as its
	// port is free.
	v.killLocal(t)
	if err := before.differs(v.look(t)); err != nil {
		t.Errorf("after a kill: %v", err)
	}
	// What is refused then has an agent go on with what was declared.
	elsewhere := v.file(strings.Replace(vxlanByHand, "spec:", "spec:\n  node: c", 1))
	if did := v.try("apply --local %s", elsewhere); did.code == 0 || !strings.Contains(did.stderr, "is for node c") || strings.Count(did.stderr, "\n") != 1 {
		t.Errorf("%v\nwant one line that says that it is for node c", did)
	}
	if list := v.weft("tunnel ls"); saysAll(list, "site", "192.0.2.11", "up") != nil {
		t.Errorf("after what was refused weft tunnel ls says\n%s", list)
	}
	if err := before.differs(v.look(t)); err != nil {
		t.Errorf("what was refused without an agent changed something: %v", err)
	}
	v.killLocal(t)
	testenv.Run(t, v.Path(), "ip", "link", "delete", "site")
	testenv.Run(t, v.Path(), "sh", "-ec", `ip -br link show type vxlan | while read -r l _; do ip link delete "${l%@*}"; done`)
	held = v.holds("udp4", 4789)
	p, err := v.Start(v.s.weft.Command(v.Host, "weftd", "local"))
	v.started(p, err)
	testenv.Eventually(t, patience, func() error {
		return saysAll(v.try("tunnel show site").stdout, strings.ReplaceAll(holder, "8472", "4789"))
	}, "who has the port is said")
	held()
	s.pings(&v.Namespace, "10.1.5.1")

	// A peer that stops loses its routes, and has them back.
	for _, to := range []string{"down", "up"} {
		testenv.Run(t, s.a.Path(), "ip", "link", "set", "site", to)
		testenv.Eventually(t, patience, func() error {
			if there := testenv.Output(t, v.Path(), "ip", "route", "show", "10.1.5.0/24") != ""; there != (to == "up") {
				return fmt.Errorf("the route's being there is %t", there)
			}
			if list := v.weft("tunnel ls"); saysAll(list, "site", to) != nil {
				return fmt.Errorf("weft tunnel ls says\n%s", list)
			}
			return nil
		}, "a peer that is "+to)
	}
	// Networks may exchange their VNIs, though the host has each once.
	for _, plane := range []string{"kernel", "ebpf"} {
		v.weft("apply --local %s", file)
		for _, vnis := range [][2]int{{7, 8}, {8, 7}} {
			v.weft("apply --local %s", v.file(localNetwork("blue", vnis[0], plane)+"---\n"+localNetwork("green", vnis[1], plane)))
		}
	}
	v.leavesNothing(t)
	for _, of := range []string{"local", "cache", "planes", "peers"} {
		if _, err := os.Stat(filepath.Join(v.Dir(), "state", of+".json")); err == nil {
			t.Errorf("after weft down there is still %s.json", of)
		}
	}
	if did := v.finish(v.s.weft.Command(v.Host, "weftd", "local")); did.code != 1 || !strings.Contains(did.stderr, "this host follows no file") {
		t.Errorf("after weft down: %v", did)
	}
}

// refusesAsItWas applies files with tunnels that the host refuses, and sees that the one which is
// there stays the same interface, with what somebody else has put on it.
func (v *visited) refusesAsItWas(t *testing.T, both string) {
	t.Helper()
	run := func(command string) { testenv.Run(t, v.Path(), strings.Fields(command)...) }
	there := func() string {
		index, _, _ := strings.Cut(testenv.Output(t, v.Path(), "ip", "-o", "link", "show", "site"), ":")
		return "site is " + index + ", in br0 " + testenv.Output(t, v.Path(), "ip", "-br", "link", "show", "master", "br0") +
			testenv.Output(t, v.Path(), "ip", "route", "show", "10.77.0.0/24")
	}
	run("ip link add br0 up type bridge")
	run("ip link set site master br0")
	run("ip route add 10.77.0.0/24 dev site")
	run("ip link add other type vxlan id 21 dstport 8472")
	before := there()
	_, second, _ := strings.Cut(both, "---\n")
	for _, c := range []struct{ file, want string }{
		{strings.Replace(second, "spec:", "spec:\n  device: eth0", 1), "this host has an interface eth0 already, which is not Weft's: remove it, or choose another name; nothing was changed"},
		{both, "vxlan device other has VNI 21 on port 8472 already"},
	} {
		if did := v.try("apply --local %s", v.file(c.file)); did.code == 0 || !strings.Contains(did.stderr, c.want) {
			t.Errorf("%v\nwant %q", did, c.want)
		}
		if now := there(); now != before {
			t.Errorf("before what was refused for %q:\n%s\nafter\n%s", c.want, before, now)
		}
	}
	run("ip link delete other")
	run("ip route delete 10.77.0.0/24")
	run("ip link set site nomaster")
	run("ip link delete br0")
	v.s.pings(&v.Namespace, "10.1.5.1") // as a port of a bridge it heard no answers, and had no routes
}

// localNetwork is a network with an endpoint, as a file declares it.
func localNetwork(name string, vni int, plane string) string {
	return fmt.Sprintf(`kind: Network
name: %s
spec: {vni: %d, plane: %s, subnets: [10.7.0.0/24], discovery: static, peers: [{address: 192.0.2.11}]}
---
kind: Endpoint
network: %[1]s
name: vm
spec: {attach: {type: tap, target: %[1]s0}, addresses: [10.7.0.5]}
`, name, vni, plane)
}

// file writes a file of the user's.
func (h *host) file(text string) string {
	h.s.t.Helper()
	path := filepath.Join(h.s.t.TempDir(), "host.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.s.t.Fatal(err)
	}
	return path
}

// holds has this process have a UDP port of the host, until released is called.
func (h *host) holds(network string, port int) (released func()) {
	h.s.t.Helper()
	var held net.PacketConn
	if err := netns.Do(h.Path(), func() (err error) {
		held, err = new(net.ListenConfig).ListenPacket(h.s.t.Context(), network, fmt.Sprintf(":%d", port))
		return err
	}); err != nil {
		h.s.t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if err := held.Close(); err != nil {
			h.s.t.Error(err)
		}
	})
}

// killLocal kills the agent that weft apply --local has started, whoever that is.
func (h *host) killLocal(t *testing.T) {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(h.Dir(), "run", "agent.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var agent *unix.Ucred
	var asked error
	if err := raw.Control(func(fd uintptr) { agent, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil || asked != nil {
		t.Fatal(err, asked)
	}
	if err := unix.Kill(int(agent.Pid), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, patience, func() error {
		if unix.Kill(int(agent.Pid), 0) == nil && !zombie(int(agent.Pid)) {
			return fmt.Errorf("process %d is there", agent.Pid)
		}
		return nil
	}, "the end of the agent")
}

// zombie reports whether a process has ended and nobody has asked how.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "Z")
}
