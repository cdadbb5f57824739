package nft

import (
	"maps"
	"slices"
	"strconv"
)

// Ruleset is the tables that Weft has in a network namespace. All are named
// TableName, one of a family.
type Ruleset map[Family]Table

// TableName is the name of all of Weft's tables.
const TableName = "weft"

// Family is a family of tables: the packets that its rules see. The values are
// those of linux/netfilter.h.
type Family uint8

// The families that Weft has tables of.
const (
	// INet sees the IP packets of a namespace's own stack.
	INet Family = 1
	// Netdev sees all frames that a device receives, before any stack.
	Netdev Family = 5
	// Bridge sees the frames that bridges forward.
	Bridge Family = 7
)

func (f Family) String() string {
	switch f {
	case ip4:
		return "ip"
	case ip6:
		return "ip6"
	case INet:
		return "inet"
	case Netdev:
		return "netdev"
	case Bridge:
		return "bridge"
	}
	return strconv.Itoa(int(f))
}

var families = []Family{INet, Netdev, Bridge}

// Table is one table, by the names of what is in it.
type Table struct {
	Counters map[string]struct{}
	Sets     map[string]Set
	Chains   map[string]Chain
	// Odd: somebody made the table into what none of Weft's is: dormant, say.
	Odd bool
}

// table returns the family's table, made if it is not there.
func (r Ruleset) table(f Family) Table {
	if _, ok := r[f]; !ok {
		r[f] = Table{Counters: map[string]struct{}{}, Sets: map[string]Set{}, Chains: map[string]Chain{}}
	}
	return r[f]
}

// Len counts the objects: tables, counters, sets, their elements, chains and rules.
func (r Ruleset) Len() int {
	n := 0
	for _, t := range r {
		n += 1 + len(t.Counters) + len(t.Sets) + len(t.Chains)
		for _, s := range t.Sets {
			n += len(s.Elements)
		}
		for _, c := range t.Chains {
			n += len(c.Rules)
		}
	}
	return n
}

// Matching counts the objects that have has just so.
func (r Ruleset) Matching(have Ruleset) int {
	n := 0
	for f, t := range r {
		there, ok := have[f]
		if !ok {
			continue
		}
		if !there.Odd {
			n++
		}
		n += len(t.Counters) - len(missing(t.Counters, there.Counters))
		for name, s := range t.Sets {
			n += s.matching(there.Sets[name])
		}
		for name, c := range t.Chains {
			if have, ok := there.Chains[name]; ok && c.Hook == have.Hook {
				n++
			}
			for i, rule := range c.Rules {
				if have := there.Chains[name].Rules; i < len(have) && rule.Equal(have[i]) {
					n++
				}
			}
		}
	}
	return n
}

func (s Set) matching(have Set) int {
	if have.Key == (Key{}) || !s.sameAs(have) {
		return 0
	}
	n := 1
	for k, v := range s.Elements {
		if w, ok := have.Elements[k]; ok && v == w {
			n++
		}
	}
	return n
}

// Clone copies the Ruleset but for the rules, which nobody changes.
func (r Ruleset) Clone() Ruleset {
	c := Ruleset{}
	for f, t := range r {
		t.Counters, t.Sets, t.Chains = maps.Clone(t.Counters), maps.Clone(t.Sets), maps.Clone(t.Chains)
		for name, s := range t.Sets {
			s.Elements = maps.Clone(s.Elements)
			t.Sets[name] = s
		}
		c[f] = t
	}
	return c
}

// Hook is where a base chain sees packets. The zero value is that of other
// chains, which see what is sent to them. Base chains are of type filter, and
// accept what no rule drops.
type Hook struct {
	// Name is prerouting, input, forward, output or ingress.
	Name string
	// Priority orders the chains of a hook; Weft's come before everybody's.
	Priority int
	// Device, of an ingress hook.
	Device string
	// Odd: another type or policy.
	Odd bool
}

// Chain is a list of rules.
type Chain struct {
	Hook
	Rules []Rule
}

func (c Chain) hasRules(rules []Rule) bool {
	return slices.EqualFunc(c.Rules, rules, Rule.Equal)
}

// priority is that of iptables' raw table: before connection tracking.
const priority = -300
