package bench

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft/internal/testenv"
	"weft/lab"
)

// contender is a way to get packets from a workload on host a to one on host b.
type contender struct {
	name     string
	from, to *lab.Namespace
	address  string
	results  []float64 // Gbit/s
}

// rounds in which every contender has its turn, and how long each lasts.
const (
	rounds = 5
	turn   = 2 * time.Second
)

// BenchmarkForward compares one TCP stream (cubic, sender on CPU 0, receiver on
// CPU 1) through Weft's networks with what a user would type by hand: a bridge
// and a vxlan device, and plain routes without an overlay. They take turns in
// one run; medians and the span of the rounds are reported.
func BenchmarkForward(b *testing.B) {
	testenv.Need(b, "iperf3", "taskset", "ip", "bridge")
	w := start(b)
	contenders := []*contender{w.byWeft(b, "bridged"), w.byWeft(b, "routed"), w.byHand(b), w.noOverlay(b)}
	for b.Loop() {
		for range rounds {
			for _, c := range contenders {
				c.results = append(c.results, c.run(b))
			}
		}
	}
	base := median(contenders[len(contenders)-1].results)
	for _, c := range contenders {
		m := median(c.results)
		b.ReportMetric(m, c.name+"-Gbit/s")
		b.ReportMetric(slices.Max(c.results)-slices.Min(c.results), c.name+"-span")
		b.ReportMetric(m/base, c.name+"-ratio")
	}
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// run measures one stream, in Gbit/s as the receiver counts it.
func (c *contender) run(b *testing.B) float64 {
	b.Helper()
	server, err := c.to.Start(exec.Command("taskset", "-c", "1", "iperf3", "-s", "-1"))
	if err != nil {
		b.Fatal(err)
	}
	var out string
	testenv.Eventually(b, 5*time.Second, func() (err error) {
		out, err = c.from.Run(b.Context(), "taskset", "-c", "0", "iperf3", "-c", c.address, "-C", "cubic", "-J",
			"-t", fmt.Sprint(turn.Seconds()))
		return err
	}, c.name+": iperf3's server to listen")
	if err := server.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	<-server.Ended()
	var result struct {
		End struct {
			Received struct {
				BitsPerSecond float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		b.Fatal(err)
	}
	return result.End.Received.BitsPerSecond / 1e9
}

// byWeft attaches a workload on each host to a network of Weft's.
func (w *world) byWeft(b *testing.B, kind string) *contender {
	b.Helper()
	w.run(b, "a", "network", "create", kind, "--kind", kind, "--subnet", map[string]string{"bridged": "10.7.0.0/24", "routed": "10.8.0.0/16"}[kind])
	c := &contender{name: "weft-" + kind}
	for _, host := range []string{"a", "b"} {
		ns, err := w.Host(host).Workload(kind)
		if err != nil {
			b.Fatal(err)
		}
		out := w.run(b, host, "endpoint", "attach", kind, "--netns", ns.Path(), "-o", "json")
		c.from, c.to = c.to, ns
		var made struct {
			Endpoint struct {
				Spec struct{ Addresses []string }
			} `json:"endpoint"`
		}
		if err := json.Unmarshal([]byte(out), &made); err != nil {
			b.Fatal(err)
		}
		c.address = made.Endpoint.Spec.Addresses[0]
	}
	return c
}

// script runs commands on a host, one a line; % is the host's number.
func (w *world) script(b *testing.B, host, number, text string) {
	b.Helper()
	for line := range strings.Lines(strings.ReplaceAll(text, "%", number)) {
		if argv := strings.Fields(line); len(argv) > 0 {
			if _, err := w.Host(host).Run(b.Context(), argv...); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// hosts are the two, with their numbers in addresses and that of the other.
var hosts = []struct{ name, number, other string }{{"a", "1", "2"}, {"b", "2", "1"}}

// byHand is what the articles type: a bridge and a vxlan device in the host's namespace.
func (w *world) byHand(b *testing.B) *contender {
	b.Helper()
	c := &contender{name: "hand-vxlan", address: "10.9.0.2"}
	for _, h := range hosts {
		ns := w.plain(b, h.name, "hand")
		w.script(b, h.name, h.number, `
			ip link add brh type bridge
			ip link add vxh type vxlan id 99 local 192.0.2.1% dstport 8472 nolearning
			ip link set vxh master brh up mtu 1450
			ip link set vethhand master brh up
			ip link set brh up
			bridge fdb append 00:00:00:00:00:00 dev vxh dst 192.0.2.1`+h.other)
		run(b, ns, "ip addr add 10.9.0."+h.number+"/24 dev eth0", "ip link set eth0 up mtu 1450")
		c.from, c.to = c.to, ns
	}
	return c
}

// noOverlay routes through the hosts without an overlay.
func (w *world) noOverlay(b *testing.B) *contender {
	b.Helper()
	c := &contender{name: "no-overlay", address: "10.10.2.2"}
	for _, h := range hosts {
		ns := w.plain(b, h.name, "plain")
		w.script(b, h.name, h.number, `
			sysctl -qw net.ipv4.ip_forward=1
			ip addr add 10.10.%.1/24 dev vethplain
			ip link set vethplain up
			ip route add 10.10.`+h.other+`.0/24 via 192.0.2.1`+h.other)
		run(b, ns, "ip addr add 10.10."+h.number+".2/24 dev eth0", "ip link set eth0 up", "ip route add default via 10.10."+h.number+".1")
		c.from, c.to = c.to, ns
	}
	return c
}

// plain makes a workload with a veth to its host, which Weft knows nothing of.
func (w *world) plain(b *testing.B, host, name string) *lab.Namespace {
	b.Helper()
	ns, err := w.Host(host).Workload(name)
	if err != nil {
		b.Fatal(err)
	}
	w.script(b, host, "", "ip link add veth"+name+" type veth peer name eth0 netns "+strings.TrimPrefix(ns.Path(), "/run/netns/"))
	return ns
}

func run(b *testing.B, ns *lab.Namespace, commands ...string) {
	b.Helper()
	for _, c := range commands {
		if _, err := ns.Run(b.Context(), strings.Fields(c)...); err != nil {
			b.Fatal(err)
		}
	}
}
