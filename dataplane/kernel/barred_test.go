package kernel

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// A firewall that drops what the host routes for a tunnel is named, with the commands that
// let it pass; as soon as they are said it is not named any more.
func TestTunnelBarred(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "iptables", "nft")
	p := newTunnelPair(t)
	p.typedVXLAN("remote 192.0.2.1")
	p.b.run("ip", "route", "add", "10.9.0.0/24", "via", "10.20.1.2")
	p.b.run("ip", "address", "add", "10.30.0.1/24", "dev", "lo")
	lan := testenv.Namespace(t)
	p.a.run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", lan)
	p.a.run("ip", "address", "add", "10.9.0.1/24", "dev", "lan0")
	p.a.run("ip", "link", "set", "lan0", "up")
	testenv.Run(t, lan, "ip", "address", "add", "10.9.0.2/24", "dev", "eth0")
	testenv.Run(t, lan, "ip", "link", "set", "eth0", "up")
	testenv.Run(t, lan, "ip", "route", "add", "default", "via", "10.9.0.1")
	p.a.apply(tunnelState(p.vxlan(func(s *overlay.TunnelSpec) {
		s.Routes = []overlay.TunnelRoute{{Prefix: netip.MustParsePrefix("10.30.0.0/24"), Via: netip.MustParseAddr("10.20.1.3")}}
	})))
	ping(t, lan, "10.30.0.1", "-W10")
	for _, c := range []struct {
		name, close, want string
	}{
		{"iptables", "iptables -P FORWARD DROP; iptables -A FORWARD -i docker0 -j ACCEPT; iptables -A FORWARD -i neta -j DROP",
			"what this host routes between neta and other interfaces may be dropped by iptables -P FORWARD DROP, as no rule names neta in both directions; to let it pass: iptables -I FORWARD -i neta -j ACCEPT && iptables -I FORWARD -o neta -j ACCEPT"},
		{"Docker", "iptables -F FORWARD; iptables -N DOCKER-USER; iptables -A DOCKER-USER -j RETURN; iptables -I FORWARD -j DOCKER-USER",
			": iptables -I DOCKER-USER -i neta -j ACCEPT && iptables -I DOCKER-USER -o neta -j ACCEPT"},
		{"nft", "iptables -P FORWARD ACCEPT; nft add table inet fw; nft 'add chain inet fw pass { type filter hook forward priority 0; policy drop; }'; nft add rule inet fw pass ct state established accept",
			"by chain pass of nft table inet fw, as no rule names neta in both directions; to let it pass: nft insert rule inet fw pass iifname neta accept && nft insert rule inet fw pass oifname neta accept"},
	} {
		p.a.run("sh", "-ec", c.close)
		notes := p.notes(t)
		if len(notes) != 1 || !strings.Contains(notes[0], c.want) {
			t.Fatalf("%s: noted %q, want %q", c.name, notes, c.want)
		}
		if _, err := netns.Output(context.Background(), lan, "ping", "-nqc1", "-W1", "10.30.0.1"); err == nil {
			t.Errorf("%s: packets pass", c.name)
		}
		_, open, _ := strings.Cut(notes[0], "to let it pass: ")
		p.a.run("sh", "-ec", open)
		ping(t, lan, "10.30.0.1", "-W10")
		if notes := p.notes(t); len(notes) != 0 {
			t.Errorf("%s: still noted: %q", c.name, notes)
		}
	}
	for _, c := range []struct {
		rules string // of the chain, with ";" between them
		noted bool
	}{
		{"iifname neta accept", true},
		{"iifname neta counter; oifname neta counter", true},
		{`iifname { "eth7", "eth8" } accept; oifname { "eth7", "eth8" } accept`, true},
		{`iifname { "eth7", "neta" } accept; oifname { "neta", "eth8" } accept`, false},
		{`iifname != "neta" accept; oifname neta accept`, true},
		{`iifname . oifname { "neta" . "lan0", "lan0" . "neta" } accept`, false},
		{`iifname . oifname { "eth7" . "neta" } accept`, true},
		{`iif neta accept; oifname "net*" accept`, false},
		{`iifname vmap { "neta" : accept, "eth7" : drop }; oif neta accept`, false},
	} {
		script := "flush chain inet fw pass\n"
		for rule := range strings.SplitSeq(c.rules, "; ") {
			script += "add rule inet fw pass " + rule + "\n"
		}
		if _, err := feed(p.a.ns, script, "nft", "-f", "-"); err != nil {
			t.Fatal(err)
		}
		if notes := p.notes(t); len(notes) > 0 != c.noted {
			t.Errorf("%s: noted %q, want any: %t", c.rules, notes, c.noted)
		}
	}
	p.a.run("nft", "flush", "chain", "inet", "fw", "pass")
	p.a.run("nft", "add", "rule", "inet", "fw", "pass", "counter", "accept")
	if notes := p.notes(t); len(notes) != 0 {
		t.Errorf("a chain that accepts all: %q", notes)
	}
}

func (p tunnelPair) notes(t *testing.T) []string {
	t.Helper()
	seen, err := p.a.plane.Compare(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if v := seen.Tunnels["neta"]; len(v.Differs) > 0 {
		t.Errorf("differs: %q", v.Differs)
	}
	return seen.Tunnels["neta"].Notes
}
