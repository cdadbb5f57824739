package nft

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
)

var devices = []string{"eth0", "wh000007", "wh000008", "wh001002", "we0", "we1", "we2"}

// What Apply makes, from whatever was there, the tool sees as what it makes of the
// printed script itself.
func TestWitness(t *testing.T) {
	t.Parallel()
	for _, domain := range []bool{true, false} {
		ours, theirs := newBed(t, devices...), newBed(t, devices...)
		draw := rapid.Custom(func(t *rapid.T) Ruleset { return drawRules(t, "rules", domain) })
		for seed := range testenv.Rounds(15, 500) {
			want := draw.Example(seed)
			ours.apply(want)
			theirs.script(want)
			if same(t, ours, theirs); t.Failed() {
				t.Fatalf("seed %d:\n%s", seed, Script(Diff(want, nil)))
			}
		}
	}
}

// blueHost is a host's rules with something of everything.
func blueHost() Ruleset {
	return hosts(
		network(overlay.Bridged, overlay.V4, withMember(3)),
		network(overlay.Routed, overlay.V6, named("red", 4098), routes(true, 2, 3)))
}

func TestTampering(t *testing.T) {
	t.Parallel()
	host, bridged := blueHost(), Domain(network(overlay.Bridged, overlay.V4, withSegment))
	routed := Domain(network(overlay.Routed, overlay.V4))
	for name, c := range map[string]struct {
		want Ruleset
		nft  []string
	}{
		"all flushed":           {host, []string{"flush ruleset"}},
		"table deleted":         {host, []string{"delete table inet weft"}},
		"rules flushed":         {bridged, []string{"flush table bridge weft"}},
		"chain flushed":         {host, []string{"flush chain inet weft network/blue"}},
		"rule added":            {bridged, []string{"insert rule bridge weft ports accept"}},
		"rule at the end":       {host, []string{"add rule inet weft underlay drop"}},
		"rules swapped":         {host, []string{"flush chain inet weft network/blue", "add rule inet weft network/blue counter name not-member/blue drop", "add rule inet weft network/blue meta nfproto ipv4 ip saddr @members4/blue accept"}},
		"rule changed":          {host, []string{"flush chain inet weft network/blue", "add rule inet weft network/blue meta nfproto ipv4 ip saddr != @members4/blue accept", "add rule inet weft network/blue counter name not-member/blue drop"}},
		"another set":           {bridged, []string{"flush chain bridge weft single", "add rule bridge weft single iifname . ether saddr @stations accept"}},
		"element deleted":       {host, []string{"delete element inet weft members4/blue { 192.0.2.3 }"}},
		"element added":         {host, []string{"add element inet weft members4/blue { 198.51.100.1 }"}},
		"elements flushed":      {bridged, []string{"flush set bridge weft sources6"}},
		"leads elsewhere":       {host, []string{"delete element inet weft networks { ipv4 . 4789 . 0x1001 }", "add element inet weft networks { ipv4 . 4789 . 0x1001 : accept }"}},
		"another next hop":      {host, []string{"delete element netdev weft hops4/eth0/red { 10.7.2.0/24 }", "add element netdev weft hops4/eth0/red { 10.7.2.0/24 : 192.0.2.77 }"}},
		"another prefix":        {host, []string{"delete element netdev weft remotes4/red { 10.7.2.0/24 }", "add element netdev weft remotes4/red { 10.7.2.0/25 }"}},
		"a range":               {host, []string{"delete element netdev weft remotes4/red { 10.7.2.0/24 }", "add element netdev weft remotes4/red { 10.7.2.0-10.7.2.254 }"}},
		"dormant":               {bridged, []string{"add table bridge weft { flags dormant; }"}},
		"policy":                {host, []string{"add chain inet weft underlay { policy drop; }"}},
		"foreign chain":         {host, []string{"add chain inet weft foreign", "add rule inet weft foreign drop"}},
		"foreign base chain":    {bridged, []string{"add chain bridge weft foreign { type filter hook forward priority 0; policy drop; }"}},
		"foreign set":           {host, []string{"add set inet weft foreign { type ipv4_addr; }"}},
		"foreign counter":       {host, []string{"add counter inet weft foreign"}},
		"foreign quota":         {host, []string{"add quota inet weft foreign { over 1 mbytes }"}},
		"leads to a foreign":    {host, []string{"add chain inet weft foreign", "add element inet weft networks { ipv4 . 4789 . 0x7 : goto foreign }"}},
		"chain made again":      {routed, []string{"delete chain netdev weft port/we1"}},
		"another device":        {routed, []string{"delete chain netdev weft port/we1", "add chain netdev weft port/we1 { type filter hook ingress device we2 priority -300; }", "add rule netdev weft port/we1 goto single"}},
		"another priority":      {routed, []string{"delete chain netdev weft port/we1", "add chain netdev weft port/we1 { type filter hook ingress device we1 priority 7; }", "add rule netdev weft port/we1 goto single"}},
		"another type of set":   {bridged, []string{"flush chain bridge weft ports", "delete set bridge weft segments", "add set bridge weft segments { type ether_addr; }"}},
		"set with counters":     {bridged, []string{"flush chain bridge weft ports", "delete set bridge weft segments", "add set bridge weft segments { type ifname; flags timeout; }"}},
		"an element that times": {bridged, []string{"flush chain bridge weft ports", "delete set bridge weft segments", "add set bridge weft segments { type ifname; flags timeout; }", "add element bridge weft segments { \"woffice\" timeout 10s }"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, theirs := newBed(t, devices...), newBed(t, devices...)
			ours.apply(c.want)
			for _, command := range c.nft {
				ours.nft(command)
			}
			if len(ours.diff(c.want)) == 0 {
				t.Error("was not seen")
			}
			ours.apply(c.want)
			theirs.script(c.want)
			same(t, ours, theirs)
		})
	}
}

// When a device goes, so may its chain; and a rule may know a device by its number.
func TestDeviceMadeAgain(t *testing.T) {
	t.Parallel()
	b := newBed(t, devices...)
	want := joined(Domain(network(overlay.Routed, overlay.V4)), Ruleset{})
	host := newBed(t, devices...)
	hostWant := blueHost()
	for _, c := range []struct {
		*bed
		want   Ruleset
		device string
	}{{b, want, "we1"}, {host, hostWant, "eth0"}, {host, hostWant, "wh001002"}} {
		c.apply(c.want)
		testenv.Run(t, c.ns, "ip", "link", "delete", c.device)
		testenv.Run(t, c.ns, "ip", "link", "add", "other", "type", "veth")
		testenv.Run(t, c.ns, "ip", "link", "add", c.device, "type", "veth")
		c.apply(c.want)
		testenv.Run(t, c.ns, "ip", "link", "delete", "other")
	}
}

func TestForeignTables(t *testing.T) {
	t.Parallel()
	b := newBed(t, devices...)
	for _, command := range []string{
		"add table ip weft", "add chain ip weft forward { type filter hook forward priority 0; policy drop; }",
		"add table inet other", "add set inet other members4/blue { type ipv4_addr; }", "add element inet other members4/blue { 192.0.2.9 }",
		"add table netdev docker", "add chain netdev docker in { type filter hook ingress device eth0 priority 0; }",
	} {
		b.nft(command)
	}
	before := b.listed()
	b.apply(blueHost())
	if len(b.listed()) == len(before) {
		t.Fatal("nothing was made")
	}
	b.apply(hosts())
	if d := cmp.Diff(before, b.listed()); d != "" {
		t.Errorf("before (-), after (+):\n%s", d)
	}
}

// A transaction that the kernel refuses changes nothing, and the error names the
// command.
func TestRefused(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.apply(hosts(network(overlay.Bridged, overlay.V4)))
	before := b.listed()
	err := b.conn.Apply([]Command{
		{Verb: deleteVerb, What: "element", Family: INet, Name: "members4/blue", Set: Set{
			Key: keyOf(IPSource), Elements: map[string]string{addressBytes(vtep(overlay.V4, 2)): ""},
		}},
		{Verb: deleteVerb, What: "chain", Family: INet, Name: "network/blue"},
		{Verb: addVerb, What: "counter", Family: INet, Name: "more"},
	})
	if !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), "nft delete chain inet weft network/blue: ") {
		t.Errorf("got %v", err)
	}
	if d := cmp.Diff(before, b.listed()); d != "" {
		t.Errorf("before (-), after (+):\n%s", d)
	}
	// The next one is not disturbed by it.
	b.apply(hosts(network(overlay.Bridged, overlay.V4, withMember(9))))

	device := Domain(network(overlay.Routed, overlay.V4))
	if err := b.conn.Apply(Diff(device, nil)); err != nil && !errors.Is(err, unix.ENOENT) {
		t.Errorf("chain of a device that is not there: %v", err)
	}
	if err := b.conn.Apply(Diff(blueHost(), nil)); err == nil || !strings.Contains(err.Error(), "there is no device") {
		t.Errorf("rule of a device that is not there: %v", err)
	}
}

// Rebuild needs nothing of what is there, and Reach no knowledge of it.
func TestRebuild(t *testing.T) {
	t.Parallel()
	ours, theirs := newBed(t, devices...), newBed(t, devices...)
	want := blueHost()
	ours.apply(want)
	ours.nft("add map inet weft foreign { type ipv4_addr : verdict; }")
	ours.nft("add element inet weft foreign { 192.0.2.1 : goto network/blue }")
	have, _, err := ours.conn.Observe(want)
	if err != nil {
		t.Fatal(err)
	}
	if matching := want.Matching(have); matching != want.Len() {
		t.Errorf("%d of %d objects are there", matching, want.Len())
	}
	if err := ours.conn.Apply(Rebuild(want, have)); err != nil {
		t.Fatal(err)
	}
	theirs.script(want)
	same(t, ours, theirs)

	want = hosts(network(overlay.Bridged, overlay.V4, named("red", 4098)))
	if err := ours.conn.Reach(want); err != nil {
		t.Fatal(err)
	}
	theirs.script(want)
	same(t, ours, theirs)
}

// A hundred ports and a thousand members are applied at once, and one more is nothing.
func TestScale(t *testing.T) {
	t.Parallel()
	large := func(ports, members int) Ruleset {
		n := network(overlay.Bridged, overlay.V6)
		for i := range ports {
			withPort(endpoint(i))(&n)
		}
		for i := range members {
			n.Members[overlay.NodeName(fmt.Sprint("m", i))] = dataplane.Member{VTEP: netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1))}
		}
		return joined(Domain(n), hosts(n))
	}
	b := newBed(t)
	for _, c := range []struct {
		ports, members int
		most           int // commands: what is there is not written again
	}{{100, 1000, 1000}, {101, 1000, 30}, {101, 3001, 30}} {
		want := large(c.ports, c.members)
		have, _, err := b.conn.Observe(want)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		commands := Diff(want, have)
		if err := b.conn.Apply(commands); err != nil {
			t.Fatal(err)
		}
		took := time.Since(start)
		t.Logf("%d ports, %d members: %d commands in %v", c.ports, c.members, len(commands), took)
		if len(commands) > c.most {
			t.Errorf("%d commands, want at most %d", len(commands), c.most)
		}
		b.apply(want)
	}
}
