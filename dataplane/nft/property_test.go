package nft

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"weft/dataplane"
	"weft/overlay"
)

// drawNetwork draws a network over small pools, so that two have much in common and
// much in conflict.
func drawNetwork(t *rapid.T, name overlay.NetworkName, label string) dataplane.Network {
	n := network(
		rapid.SampledFrom([]overlay.NetworkKind{overlay.Bridged, overlay.Routed}).Draw(t, label+" kind"),
		rapid.SampledFrom([]overlay.Family{overlay.V4, overlay.V6}).Draw(t, label+" family"),
		named(name, overlay.VNI(rapid.IntRange(7, 8).Draw(t, label+" vni"))), withoutPorts)
	n.Settings.Port = uint16(rapid.IntRange(4789, 4790).Draw(t, label+" port"))
	for i := range 3 {
		if rapid.Bool().Draw(t, label+" has a port") {
			p := endpoint(i + rapid.IntRange(0, 1).Draw(t, label+" address"))
			p.Name, p.Device = overlay.EndpointName(fmt.Sprint(i)), fmt.Sprint("we", i)
			if n.Kind == overlay.Bridged && rapid.Bool().Draw(t, label+" is a segment") {
				p = dataplane.Port{Name: p.Name, Kind: overlay.PortSegment, Device: p.Device}
			}
			withPort(p)(&n)
		}
	}
	for i := range byte(4) {
		if rapid.Bool().Draw(t, label+" has a member") {
			withMember(3 + i)(&n)
		}
	}
	if n.Kind == overlay.Routed {
		routes(rapid.Bool().Draw(t, label+" is direct"), rapid.SliceOfNDistinct(rapid.ByteRange(2, 5), 0, 3, rapid.ID).Draw(t, label+" routes")...)(&n)
		if rapid.Bool().Draw(t, label+" has a route in a route") {
			n.Routes[netip.MustParsePrefix("10.7.2.128/25")] = dataplane.Route{Node: "n3", Direct: true, Via: vtep(overlay.V4, 3)}
		}
		if rapid.Bool().Draw(t, label+" has no tunnel") {
			none(&n)
		}
		if rapid.Bool().Draw(t, label+" has a large block") {
			n.Blocks[0] = netip.MustParsePrefix("10.7.0.0/23")
		}
	}
	return n
}

// drawRules draws the rules of a host, or of a domain.
func drawRules(t *rapid.T, label string, domain bool) Ruleset {
	if domain {
		return Domain(drawNetwork(t, "blue", label))
	}
	var all []dataplane.Network
	for _, name := range []overlay.NetworkName{"blue", "red"} {
		if rapid.Bool().Draw(t, label+" has "+string(name)) {
			all = append(all, drawNetwork(t, name, label+" "+string(name)))
		}
	}
	return hosts(all...)
}

func doAll(t *rapid.T, m model, commands []Command) {
	for _, c := range commands {
		if err := m.do(c); err != nil {
			t.Fatalf("%s: %v\nin\n%s", c, err, Script(commands))
		}
	}
}

func TestDiffLeadsThere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		domain := rapid.Bool().Draw(t, "domain")
		from, to := drawRules(t, "from", domain), drawRules(t, "to", domain)
		m := model{from.Clone()}
		tamper(t, m)
		commands := Diff(to, m.Clone())
		doAll(t, m, commands)
		if d := cmp.Diff(to, m.Ruleset, comparing...); d != "" {
			t.Fatalf("want (-), got (+):\n%s\nby\n%s", d, Script(commands))
		}
		if again := Diff(to, m.Ruleset); len(again) > 0 {
			t.Fatalf("still to do:\n%s", Script(again))
		}
	})
}

var comparing = []cmp.Option{cmpopts.EquateEmpty(), cmp.Comparer(Rule.Equal)}

// Rebuild needs to know of nothing but the tables.
func TestRebuildLeadsThere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from, to := drawRules(t, "from", false), drawRules(t, "to", false)
		m := model{from.Clone()}
		doAll(t, m, Rebuild(to, from))
		if d := cmp.Diff(to, m.Ruleset, comparing...); d != "" {
			t.Fatal(d)
		}
	})
}

// tamper does to the tables what others might.
func tamper(t *rapid.T, m model) {
	for f, table := range m.Ruleset {
		for _, name := range slices.Sorted(maps.Keys(table.Chains)) {
			c := table.Chains[name]
			switch rapid.IntRange(0, 15).Draw(t, "chain") {
			case 0:
				c.Rules = nil
			case 1:
				c.Rules = append([]Rule{{Odd{"x"}}}, c.Rules...)
			case 2:
				c.Hook.Odd = true
			case 3:
				c.Rules = c.Rules[:len(c.Rules)/2]
			}
			table.Chains[name] = c
		}
		for _, name := range slices.Sorted(maps.Keys(table.Sets)) {
			s := table.Sets[name]
			switch rapid.IntRange(0, 9).Draw(t, "set") {
			case 0:
				clear(s.Elements)
			case 1:
				for k := range s.Elements {
					s.Elements[k] = "(odd)"
				}
			}
		}
		switch rapid.IntRange(0, 9).Draw(t, "table") {
		case 0:
			table.Odd = true
		case 1:
			table.Chains["foreign"] = Chain{Rules: []Rule{{Odd{"y"}}}}
			table.Counters["foreign"] = struct{}{}
			table.Sets["foreign"] = Set{Odd: true}
		}
		m.Ruleset[f] = table
	}
}

// What is held stays, whatever else is wanted, and what is not held goes.
func TestKeep(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		held := drawNetwork(t, "blue", "held")
		routes(true, 2)(&held)
		red, green := drawNetwork(t, "red", "red"), drawNetwork(t, "green", "green")
		red.VNI, green.VNI = 100, 101
		have := hosts(held, red)
		to := Keep(hosts(green), have, func(n overlay.NetworkName) bool { return n != "red" })
		m := model{have.Clone()}
		doAll(t, m, Diff(to, have))
		both := hosts(held, green)
		for f, want := range both {
			if d := cmp.Diff(shown(want, "blue"), shown(m.Ruleset[f], "blue"), comparing...); d != "" {
				t.Fatalf("%s: of the held network, want (-), got (+):\n%s", f, d)
			}
		}
		for _, table := range m.Ruleset {
			if left := shown(table, "red"); len(hosts(green)) == len(both) && (len(left.Chains) > 0 || len(left.Sets) > 0) {
				t.Fatalf("left over: %v", left)
			}
		}
		if again := Diff(Keep(hosts(green), m.Ruleset, func(n overlay.NetworkName) bool { return n == "blue" }), m.Ruleset); len(again) > 0 {
			t.Fatalf("still to do:\n%s", Script(again))
		}
	})
}

// shown is what of a table is a network's own.
func shown(t Table, n overlay.NetworkName) Table {
	own := Ruleset{}.table(INet)
	for name, s := range t.Sets {
		if networkOf(name) == n {
			own.Sets[name] = s
		}
		for k, v := range s.Elements {
			if s.Value == verdict && networkOf(Verdict(v).chain()) == n {
				own.Sets["to "+k] = s
			}
		}
	}
	for name, c := range t.Chains {
		if networkOf(name) == n {
			own.Chains[name] = c
		}
		for _, r := range c.Rules {
			if v, ok := r.verdict(); ok && networkOf(v.chain()) == n {
				own.Chains["to "+name] = Chain{Rules: []Rule{r}}
			}
		}
	}
	for name := range t.Counters {
		if networkOf(name) == n {
			own.Counters[name] = struct{}{}
		}
	}
	return own
}
