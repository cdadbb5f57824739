package nft

import (
	"maps"
	"slices"
)

// Diff computes what makes have into want, as one transaction. What is there and
// wanted is not touched. In a chain of which a rule differs, all rules are new.
func Diff(want, have Ruleset) []Command {
	var d differ
	for _, f := range families {
		wanted, ok := want[f]
		there, exists := have[f]
		switch {
		case !ok && !exists:
		case !ok:
			d.add(Command{Verb: deleteVerb, What: "table", Family: f})
		case exists && there.canBecome(wanted):
			d.table(f, wanted, there)
		case exists:
			d.add(Command{Verb: deleteVerb, What: "table", Family: f})
			fallthrough
		default:
			d.add(Command{Verb: addVerb, What: "table", Family: f})
			d.table(f, wanted, Table{})
		}
	}
	return d.commands
}

// Rebuild is the transaction that makes want out of whatever is there: for when
// somebody has tied knots that Diff does not know of. All counters begin anew.
func Rebuild(want, have Ruleset) []Command {
	odd := have.Clone()
	for f, t := range odd {
		t.Odd = true
		odd[f] = t
	}
	return Diff(want, odd)
}

// canBecome reports whether all that the table has in common with the wanted one is
// of the same kind.
func (t Table) canBecome(want Table) bool {
	if t.Odd {
		return false
	}
	for name, s := range want.Sets {
		if there, ok := t.Sets[name]; ok && !s.sameAs(there) {
			return false
		}
	}
	for name, c := range want.Chains {
		if there, ok := t.Chains[name]; ok && c.Hook != there.Hook {
			return false
		}
	}
	return true
}

// differ collects commands.
type differ struct {
	commands []Command
}

func (d *differ) add(c Command) { d.commands = append(d.commands, c) }

// table adds first what others refer to, and deletes in the reverse order.
func (d *differ) table(f Family, want, have Table) {
	for _, name := range missing(want.Counters, have.Counters) {
		d.add(Command{Verb: addVerb, What: "counter", Family: f, Name: name})
	}
	for _, name := range missing(want.Sets, have.Sets) {
		d.add(Command{Verb: addVerb, What: want.Sets[name].what(), Family: f, Name: name, Set: want.Sets[name]})
	}
	for _, name := range missing(want.Chains, have.Chains) {
		d.add(Command{Verb: addVerb, What: "chain", Family: f, Name: name, Hook: want.Chains[name].Hook})
	}
	for _, name := range slices.Sorted(maps.Keys(want.Sets)) {
		d.elements(f, name, want.Sets[name], have.Sets[name])
	}
	for _, name := range slices.Sorted(maps.Keys(want.Chains)) {
		d.rules(f, name, want.Chains[name], have.Chains[name])
	}
	d.leftovers(f, want, have)
}

// elements changes a set. Elements go before others come: one with another value, or a
// prefix of which another is a part, could not be there beside it.
func (d *differ) elements(f Family, name string, want, have Set) {
	gone, added := map[string]string{}, map[string]string{}
	for k, v := range have.Elements {
		if w, ok := want.Elements[k]; !ok || w != v {
			gone[k] = v
		}
	}
	for k, v := range want.Elements {
		if h, ok := have.Elements[k]; !ok || h != v {
			added[k] = v
		}
	}
	d.inParts(Command{Verb: deleteVerb, What: "element", Family: f, Name: name, Set: have}, gone)
	d.inParts(Command{Verb: addVerb, What: "element", Family: f, Name: name, Set: want}, added)
}

// maxElements is how many elements one command has: an attribute of netlink holds
// 64 KiB, and an element at most about 80 bytes.
const maxElements = 250

func (d *differ) inParts(c Command, elements map[string]string) {
	keys := sortedKeys(elements)
	for part := range slices.Chunk(keys, maxElements) {
		c.Set.Elements = map[string]string{}
		for _, k := range part {
			c.Set.Elements[k] = elements[k]
		}
		d.add(c)
	}
}

func (d *differ) rules(f Family, name string, want, have Chain) {
	if have.hasRules(want.Rules) {
		return
	}
	if len(have.Rules) > 0 {
		d.add(Command{Verb: flushVerb, What: "chain", Family: f, Name: name})
	}
	for _, r := range want.Rules {
		d.add(Command{Verb: addVerb, What: "rule", Family: f, Name: name, Rule: r})
	}
}

// leftovers deletes what is not wanted. Rules and elements that lead to something
// are gone before it is.
func (d *differ) leftovers(f Family, want, have Table) {
	chains := missing(have.Chains, want.Chains)
	for _, name := range chains {
		if len(have.Chains[name].Rules) > 0 {
			d.add(Command{Verb: flushVerb, What: "chain", Family: f, Name: name})
		}
	}
	for _, name := range missing(have.Sets, want.Sets) {
		d.add(Command{Verb: deleteVerb, What: have.Sets[name].what(), Family: f, Name: name})
	}
	for _, name := range chains {
		d.add(Command{Verb: deleteVerb, What: "chain", Family: f, Name: name})
	}
	for _, name := range missing(have.Counters, want.Counters) {
		d.add(Command{Verb: deleteVerb, What: "counter", Family: f, Name: name})
	}
}

// missing are the keys that other lacks, in order.
func missing[V, W any](m map[string]V, other map[string]W) []string {
	var keys []string
	for k := range m {
		if _, ok := other[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}
