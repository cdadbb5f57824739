package articles

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"weft/internal/testenv"
)

// article is a set-up of two hosts, with the names and addresses that it has there.
type article struct {
	// name is that of its blocks, and of the files in examples/local, before -a and -b.
	name string
	// underlay is the device that packets leave by, and addresses what the hosts have there.
	underlay  string
	addresses [2]string
	// tunnel is the device that the article makes.
	tunnel string
	// behind is the other network of each host, which is a router then.
	behind [2]lan
	// auto is the plane that nodes choose for it.
	auto string
	// asked are the addresses that are asked: by those behind the other host, if there are any.
	asked [2]string
	// mirror is what the second host's commands differ in, where the article says they are
	// like the first's: old and new in turn.
	mirror []string
}

// lan is a router's other network, with one host in it that knows no more than a default
// route. With a split, the article's own commands up to that line make it.
type lan struct{ router, host, split string }

// With these IPv4 packets find the two networks of the first article.
var first = [2]lan{{router: "10.0.1.1/24", host: "10.0.1.10/24"}, {router: "10.0.2.1/24", host: "10.0.2.10/24"}}

// swap turns what a router does into what its peer does.
var swap = []string{"172.16.17.18", "172.16.17.19", "172.16.17.19", "172.16.17.18", "10.0.2.0/24", "10.0.1.0/24",
	"10.0.1.2", "10.0.2.2", "10.0.1.1", "10.0.2.1", "10.1.0.106", "10.1.0.107"}

var (
	vxlanArticles = []article{
		{name: "vxlan-unicast", auto: "ebpf", underlay: "eth0", addresses: [2]string{"172.16.17.18/24", "172.16.17.19/24"}, tunnel: "vxlan1",
			asked: [2]string{"10.1.0.106", "10.1.0.107"}, mirror: swap},
		{name: "vxlan-gateways", auto: "ebpf", underlay: "eth2", addresses: [2]string{"172.12.1.10/24", "172.12.1.11/24"}, tunnel: "vxlan0",
			behind: [2]lan{{router: "10.1.5.1/24", host: "10.1.5.10/24"}, {router: "10.1.8.1/24", host: "10.1.8.10/24"}},
			asked:  [2]string{"10.1.5.10", "10.1.8.10"}},
		{name: "vxlan-hosts", auto: "ebpf", underlay: "ens33", addresses: [2]string{"172.16.94.141/24", "172.16.94.142/24"}, tunnel: "vxlan0",
			behind: [2]lan{{split: "## 创建 vxlan\n"}, {split: "## 创建 vxlan\n"}},
			asked:  [2]string{"10.1.5.10", "10.1.8.10"}},
	}
	ipArticles = []article{
		{name: "ipip", auto: "ebpf", underlay: "eth1", addresses: [2]string{"172.16.17.18/24", "172.16.17.19/24"}, tunnel: "neta",
			behind: [2]lan{{router: "10.0.1.2/24", host: "10.0.1.10/24"}, {router: "10.0.2.2/24", host: "10.0.2.10/24"}},
			asked:  [2]string{"10.0.1.10", "10.0.2.10"}, mirror: swap},
		{name: "gre", auto: "ebpf", underlay: "eth1", addresses: [2]string{"172.16.17.18/24", "172.16.17.19/24"}, tunnel: "neta",
			behind: first, asked: [2]string{"10.0.1.10", "10.0.2.10"}, mirror: swap},
		{name: "gre-keys", auto: "kernel", underlay: "eth0", addresses: [2]string{"172.16.0.3/24", "172.16.0.5/24"}, tunnel: "gre01",
			asked: [2]string{"10.1.1.1", "10.1.1.2"}},
	}
)

// side is one of the two hosts.
var side = [2]string{"-a", "-b"}

// commands are what the article types on a host.
func (a article) commands(t testing.TB, i int) string {
	t.Helper()
	name := a.name + side[i]
	if !there(name) {
		return strings.NewReplacer(a.mirror...).Replace(typed(t, a.name+side[0]))
	}
	if text := typed(t, name); !strings.HasPrefix(text, "set ") {
		return text
	}
	return committed(typed(t, name))
}

// pair are an article's two hosts, wired, and who asks from each of them.
type pair struct {
	article
	hosts, askers [2]*host
	// inside are the commands that make an article's own tunnel, and none of its surroundings.
	inside [2]string
}

// newPair makes them.
func newPair(t testing.TB, a article, at [2]place) *pair {
	t.Helper()
	p := &pair{article: a}
	for i := range p.hosts {
		p.hosts[i] = newHost(t, at[i])
	}
	p.hosts[0].wire(p.hosts[1], a.underlay)
	for i, h := range p.hosts {
		h.run(fmt.Sprintf("ip address add %s dev %s; ip link set %s up", a.addresses[i], a.underlay, a.underlay))
		p.askers[i], p.inside[i] = h, a.commands(t, i)
		switch l := a.behind[i]; {
		case l.split != "":
			p.askers[i] = h.surroundings(&p.inside[i], l.split)
		case l.router != "":
			p.askers[i] = h.serve(l)
		}
	}
	return p
}

// wire joins two hosts of a place by devices of one name.
func (h *host) wire(other *host, device string) {
	h.Helper()
	h.run(fmt.Sprintf("ip link add %s type veth peer name %s netns %s", device, device, other.ns))
}

// serve makes the host a router for another one.
func (h *host) serve(l lan) *host {
	h.Helper()
	inner := newHost(h, h.place)
	h.run(fmt.Sprintf("ip link add lan type veth peer name net0 netns %s; ip address add %s dev lan; ip link set lan up", inner.ns, l.router))
	router, _, _ := strings.Cut(l.router, "/")
	inner.run(fmt.Sprintf("ip address add %s dev net0; ip link set net0 up; ip route replace default via %s", l.host, router))
	return inner
}

// surroundings runs what an article types before its tunnel, and leaves the rest. The
// namespace ns1 has another name, as all articles' are on one machine here.
func (h *host) surroundings(commands *string, split string) *host {
	h.Helper()
	name := testenv.Name(h, "ns1")
	before, after, ok := strings.Cut(*commands, split)
	if !ok {
		h.Fatalf("no line %q in %q", split, *commands)
	}
	*commands = after
	h.Cleanup(func() { h.run("ip netns delete " + name) })
	h.run(strings.NewReplacer("ns1", name).Replace(before))
	return &host{TB: h.TB, place: h.place, ns: name}
}

// typeOn has the host be what the article says.
func (p *pair) typeOn(i int) {
	h := p.hosts[i]
	h.Helper()
	h.run("sysctl -qw net.ipv4.ip_forward=1\n" + means + p.inside[i])
}

// untype undoes that.
func (p *pair) untype(i int) {
	h := p.hosts[i]
	h.Helper()
	h.run("ip link delete " + p.tunnel + "\nsysctl -qw net.ipv4.ip_forward=0")
}

// patience is how long a ping may take.
const patience = 30 * time.Second

// talk fails the test unless each side gets an answer from the other. Their devices have
// been made anew, with other MACs, and who has asked before would not notice for half a minute.
func (p *pair) talk(who string) {
	for _, h := range p.hosts {
		h.Helper()
		h.run("ip neigh flush all")
	}
	for i, a := range p.askers {
		a.Helper()
		if _, err := a.tries(fmt.Sprintf("ping -nq -c1 -i0.2 -w%.0f %s", patience.Seconds(), p.asked[1-i])); err != nil {
			a.Errorf("%s, asked from %s: %v", who, side[i], err)
			a.Log(p.hosts[0].run("ip -br address; ip route; ip neigh"), p.hosts[1].run("ip -br address; ip route; ip neigh"))
		}
	}
}
