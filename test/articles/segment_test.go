package articles

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weft/internal/testenv"
)

// segment is three hosts on one underlay segment, each with a station behind a bridge.
type segment struct {
	hosts, stations [3]*host
	wire            *host // the underlay's switch
}

// newSegment makes them; the underlay's device and network are an article's.
func newSegment(t *testing.T, device string, addresses [3]string) *segment {
	t.Helper()
	s := &segment{wire: newHost(t, here{})}
	s.wire.run("ip link add br0 type bridge mcast_snooping 0; ip link set br0 up")
	for i := range s.hosts {
		h := newHost(t, here{})
		h.run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1") // what talks by itself
		s.wire.run(fmt.Sprintf("ip link add port%d master br0 type veth peer name %s netns %s; ip link set port%d up", i, device, h.ns, i))
		h.run(fmt.Sprintf("ip address add %s dev %s; ip link set %s up", addresses[i], device, device))
		s.hosts[i] = h
	}
	return s
}

// station makes a host's bridge, and a station on it, as a container is.
func (s *segment) station(i int, bridge, mac, address string) {
	h := s.hosts[i]
	h.Helper()
	c := newHost(h, here{})
	h.run(fmt.Sprintf(`sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ip link add %s type bridge; ip link set %s up
ip link add lan mtu 1450 master %s type veth peer name eth0 address %s mtu 1450 netns %s; ip link set lan up`, bridge, bridge, bridge, mac, c.ns))
	c.run(fmt.Sprintf("sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1; ip address add %s dev eth0; ip link set eth0 up", address))
	s.stations[i] = c
}

// ask fails the test unless an address answers a station.
func (s *segment) ask(i int, address string) {
	h := s.stations[i]
	h.Helper()
	if _, err := h.tries(fmt.Sprintf("ping -nq -c1 -i0.2 -w%.0f %s", patience.Seconds(), address)); err != nil {
		h.Errorf("from station %d: %v", i, err)
		for _, h := range s.hosts {
			out, _ := h.tries("ip -br link; bridge fdb | grep dst; ip neigh")
			h.Log(out)
		}
	}
}

// The stations of the article on tables kept by hand.
var (
	byHand = [3]string{"192.168.8.100/24", "192.168.8.101/24", "192.168.8.102/24"}
	macs   = [3]string{"02:00:5e:00:00:02", "52:5e:55:58:9a:ab", "d6:d9:cd:0a:a4:28"}
	ips    = [3]string{"10.20.1.2", "10.20.1.4", "10.20.1.3"}
)

// likewise is what the article types on host a, on another one.
func likewise(text string, i int) string {
	vtep := func(i int) string { return strings.TrimSuffix(byHand[i], "/24") }
	return strings.NewReplacer(vtep(i), vtep(0), macs[i], macs[0], ips[i], ips[0]).Replace(text)
}

// TestStations: an FDB, and an ARP table, that somebody keeps by hand.
func TestStations(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	testenv.Need(t, "ip", "bridge", "ping", "tcpdump", "tshark")
	for _, name := range []string{"vxlan-fdb", "vxlan-proxy"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSegment(t, "enp0s8", byHand)
			for _, i := range []int{0, 2} {
				s.station(i, "br0", macs[i], ips[i]+"/24")
			}
			s.stations[1] = s.hosts[1]
			const join = "\nip link set vxlan0 master br0 up\n"
			block := typed(t, name+"-a")
			s.hosts[0].run(block + join)
			s.hosts[1].apply(name + "-b")
			s.hosts[2].run(likewise(block, 2) + join)
			c := s.wire.capture("br0")
			s.ask(0, ips[1])
			s.ask(1, ips[0])
			s.ask(1, ips[2])
			s.ask(2, ips[1])
			s.held(c.end(), name == "vxlan-proxy")

			s.hosts[0].run("ip link delete vxlan0")
			s.bridged(name)
			s.hosts[0].run("ip link delete lan")
			s.hosts[0].apply(name + "-a")
			s.hosts[0].explains(block + "\nip link set vxlan0 up\nip address add 10.20.1.2/24 dev vxlan0")
			s.stations[0] = s.hosts[0]
			s.ask(0, ips[1])
			s.ask(0, ips[2])
			s.ask(2, ips[0])
		})
	}
}

// bridged has Weft make the first host's interface, which the user puts into the bridge that a station
// is behind: it stays there, whatever Weft has to repair, and the station is asked and answered.
func (s *segment) bridged(name string) {
	h := s.hosts[0]
	h.Helper()
	h.apply(name+"-a", "  # This host is a station, too.\n", "", "  mac: 02:00:5e:00:00:02\n", "", "  addresses: [10.20.1.2/24]\n", "")
	defer h.down()
	h.run("ip link set vxlan0 master br0; ip link set vxlan0 mtu 1300")
	testenv.Eventually(h.TB, patience, func() error {
		link := h.run("ip link show vxlan0")
		if !strings.Contains(link, "mtu 1450 ") || !strings.Contains(link, " master br0 ") {
			return fmt.Errorf("the interface is %s", link)
		}
		return nil
	}, "the interface is repaired in its bridge")
	for _, i := range []int{0, 2} {
		s.stations[i].run("ip neigh flush all")
	}
	c := s.wire.capture("br0")
	s.ask(0, ips[1])
	s.ask(0, ips[2])
	s.ask(2, ips[0])
	s.held(c.end(), name == "vxlan-proxy")
}

// held fails the test unless frames were where the tables say: ARP requests at both others, or
// nowhere if there is a proxy, and all else at one.
func (s *segment) held(all []packet, proxy bool) {
	for _, p := range all {
		if p.ARP != "" && proxy {
			s.wire.Errorf("with a proxy ARP crossed the wire: %v", p)
		}
	}
	for _, h := range s.hosts[:2] {
		if fdb := h.run("bridge fdb show dev vxlan0"); strings.Contains(fdb, "extern_learn") || strings.Count(fdb, "dst") != 4 {
			h.Errorf("the FDB is not the one that was typed: %s", fdb)
		}
	}
	if len(all) == 0 {
		s.wire.Error("nothing was captured")
	}
}

// TestDocker: containers on two hosts' own bridges.
func TestDocker(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	testenv.Need(t, "ip", "bridge", "busybox", "ping")
	s := newSegment(t, "ens33", [3]string{"192.168.13.131/24", "192.168.13.132/24", "192.168.13.133/24"})
	bridges := [2]string{"br-87133e370c6c", "br-26d918129b18"}
	for i, b := range bridges {
		s.station(i, b, fmt.Sprintf("02:42:ac:12:00:0%x", 10+i), fmt.Sprintf("172.18.0.1%d/16", i))
	}
	s.hosts[0].run(means + typed(t, "vxlan-docker-a"))
	s.hosts[1].apply("vxlan-docker-b")
	s.ask(0, "172.18.0.11")
	s.ask(1, "172.18.0.10")

	// An interface of the eBPF plane goes into a bridge like any other.
	s.hosts[1].down()
	s.hosts[1].declare("kind: Tunnel\nname: vx0\nspec: {mode: vxlan, vni: 200, local: 192.168.13.132, remote: 192.168.13.131, underlay: ens33, plane: ebpf}\n")
	s.hosts[1].run("ip link set vx0 master " + bridges[1])
	s.ask(0, "172.18.0.11")
	s.ask(1, "172.18.0.10")

	s.hosts[0].run("ip link delete vxlan_docker")
	s.hosts[0].apply("vxlan-docker-a")
	s.ask(0, "172.18.0.11")
	s.hosts[1].down()
	s.hosts[1].run(means + typed(t, "vxlan-docker-b"))
	s.ask(0, "172.18.0.11")
	s.ask(1, "172.18.0.10")
}

// TestMulticast: three hosts that find each other by a group (RFC 7348 section 4.2): the first ARP
// request goes to all, the answer and what follows to one; who is not asked says nothing, and what
// was learnt is forgotten.
func TestMulticast(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	testenv.Need(t, "ip", "bridge", "busybox", "ping", "tcpdump", "tshark")
	s := newSegment(t, "eth1", [3]string{"172.16.17.18/24", "172.16.17.19/24", "172.16.17.20/24"})
	script := typed(t, "vxlan-multicast-a")
	for _, i := range []int{0, 2} {
		s.hosts[i].run("ip route add 239.1.1.1 dev eth1\n" + means + strings.ReplaceAll(script, "192.167.0.6", fmt.Sprintf("192.167.0.%d", 6+i)))
		s.stations[i] = s.hosts[i]
	}
	vm := newHost(t, here{})
	s.stations[1] = vm
	s.hosts[1].run("ip route add 239.1.1.1 dev eth1")
	s.hosts[1].apply("vxlan-multicast-b", "/run/netns/vm2", "/run/netns/"+vm.ns, "ttl: 1\n", "ttl: 1\n  ageingSeconds: 15\n")
	s.hosts[0].run("ip link set vxlan100 type vxlan ageing 15")

	c := s.wire.capture("br0")
	s.ask(0, "192.167.0.7")
	s.learnt()
	s.flooded(c.end())
	s.ask(1, "192.167.0.8")

	testenv.Eventually(t, time.Minute, func() error {
		for i, where := range []string{"bridge fdb show dev vxlan100", ""} {
			out := ""
			if where != "" {
				out = s.hosts[i].run(where)
			} else {
				out = s.hosts[i].weft("fdb lab")
			}
			if strings.Contains(out, "dst 172.16.17.1") || strings.Contains(out, "172.16.17.18") {
				return fmt.Errorf("host %d still has %s", i, out)
			}
		}
		return nil
	}, "stations that say nothing are forgotten")

	s.hosts[0].run("for l in vxlan100 veth0 br0; do ip link delete $l; done")
	s.stations[0] = newHost(t, here{})
	s.hosts[0].apply("vxlan-multicast-a", "/run/netns/vm1", "/run/netns/"+s.stations[0].ns)
	s.ask(0, "192.167.0.7")
	s.ask(0, "192.167.0.8")
}

// learnt fails the test unless the first host knows where the second one's station is, and the
// other way round.
func (s *segment) learnt() {
	if fdb := s.hosts[0].run("bridge fdb show dev vxlan100"); !strings.Contains(fdb, "02:00:5e:00:00:07 dst 172.16.17.19") {
		s.wire.Errorf("the first VTEP has not learnt from the answer: %s", fdb)
	}
	mac := strings.Fields(s.hosts[0].run("ip -br link show veth0"))[2]
	fdb := s.hosts[1].weft("fdb lab")
	if !slices.ContainsFunc(strings.Split(fdb, "\n"), func(l string) bool { return strings.Contains(l, mac) && strings.Contains(l, "172.16.17.18") }) {
		s.wire.Errorf("Weft has not learnt where %s is from the request: %s", mac, fdb)
	}
}

// flooded fails the test unless what was captured is one conversation of RFC 7348's.
func (s *segment) flooded(all []packet) {
	for i, p := range all {
		want := "172.16.17.19"
		if p.Source == want {
			want = "172.16.17.18"
		}
		if p.ARP == "1" && i == 0 {
			want = "239.1.1.1"
		}
		if p.Source == "172.16.17.20" || p.Destination != want {
			s.wire.Errorf("packet %d is %+v, want it to go to %s and nothing from the third host", i, p, want)
		}
	}
	if len(all) < 4 || all[0].ARP != "1" || all[1].ARP != "2" {
		s.wire.Errorf("want a request and an answer of ARP, and two pings: %+v", all)
	}
}

// packet is one of the underlay's with a frame in it: who sends it to whom, and what ARP, if
// it is that, is inside.
type packet struct{ Source, Destination, ARP string }

// capture is tcpdump at work.
type capture struct {
	h       *host
	file    string
	tcpdump *exec.Cmd
}

// capture begins to write down what VXLAN packets pass a device.
func (h *host) capture(device string) capture {
	h.Helper()
	c := capture{h: h, file: filepath.Join(h.folder(h, "said", ""), "packets")}
	c.tcpdump = exec.Command("nsenter", "--net=/run/netns/"+h.ns,
		"tcpdump", "-U", "--immediate-mode", "-Z", "root", "-ni", device, "-w", c.file, "udp port 4789")
	if err := c.tcpdump.Start(); err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		if c.tcpdump.ProcessState == nil { // the test has failed before
			_ = errors.Join(c.tcpdump.Process.Kill(), c.tcpdump.Wait())
		}
	})
	testenv.Eventually(h.TB, patience, func() error {
		_, err := os.Stat(c.file) // which it makes when it listens
		return err
	}, "tcpdump listens")
	return c
}

// end ends it and has tshark read the packets with ARP or pings inside: the outer addresses are the first of each.
func (c capture) end() (all []packet) {
	c.h.Helper()
	if err := errors.Join(c.tcpdump.Process.Signal(os.Interrupt), c.tcpdump.Wait()); err != nil {
		c.h.Fatal(err)
	}
	out := c.h.run("tshark -r " + c.file + " -Y 'vxlan && (arp || icmp)' -T json -e ip.src -e ip.dst -e arp.opcode 2>/dev/null")
	var read []struct {
		Source struct {
			Layers map[string][]string `json:"layers"`
		} `json:"_source"`
	}
	if err := json.Unmarshal([]byte(out), &read); err != nil {
		c.h.Fatalf("%s: %v", out, err)
	}
	for _, r := range read {
		l := r.Source.Layers
		p := packet{Source: l["ip.src"][0], Destination: l["ip.dst"][0]}
		if arp := l["arp.opcode"]; len(arp) > 0 {
			p.ARP = arp[0]
		}
		all = append(all, p)
	}
	return all
}
