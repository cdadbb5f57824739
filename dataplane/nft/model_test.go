package nft

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// model is a namespace's tables in memory, with the kernel's rules as far as commands
// depend on them. It is written from the commands' side and shares nothing with
// Diff but the types.
type model struct{ Ruleset }

// do is what the kernel would do.
func (m model) do(c Command) error {
	if c.What == "table" {
		return m.table(c)
	}
	t, ok := m.Ruleset[c.Family]
	if !ok {
		return fmt.Errorf("there is no table")
	}
	switch c.What {
	case "counter":
		return put(t.Counters, c, struct{}{})
	case "set", "map":
		if c.Verb == deleteVerb && t.used(c.Name) {
			return fmt.Errorf("a rule looks into it")
		}
		s := c.Set
		s.Elements = map[string]string{}
		return put(t.Sets, c, s)
	case "chain":
		return t.chain(c)
	case "rule":
		return t.rule(c)
	case "element":
		return t.element(c)
	}
	return fmt.Errorf("unknown command")
}

func (m model) table(c Command) error {
	_, ok := m.Ruleset[c.Family]
	switch {
	case ok == (c.Verb == addVerb):
		return fmt.Errorf("there is one, or none")
	case c.Verb == addVerb:
		m.Ruleset.table(c.Family)
	default:
		delete(m.Ruleset, c.Family)
	}
	return nil
}

// put adds or deletes what is in a table by name.
func put[V any](in map[string]V, c Command, v V) error {
	_, ok := in[c.Name]
	switch {
	case ok == (c.Verb == addVerb):
		return fmt.Errorf("there is one, or none")
	case c.Verb == addVerb:
		in[c.Name] = v
	default:
		delete(in, c.Name)
	}
	return nil
}

func (t Table) chain(c Command) error {
	have := t.Chains[c.Name]
	switch {
	case c.Verb == flushVerb:
		have.Rules = nil
		t.Chains[c.Name] = have
		return nil
	case c.Verb == deleteVerb && (len(have.Rules) > 0 || t.ledTo(c.Name)):
		return fmt.Errorf("it has rules, or something leads there")
	}
	return put(t.Chains, c, Chain{Hook: c.Hook})
}

func (t Table) rule(c Command) error {
	have, ok := t.Chains[c.Name]
	if !ok {
		return fmt.Errorf("there is no chain")
	}
	for _, s := range c.Rule {
		if name := refers(s); name != "" && !t.has(name) {
			return fmt.Errorf("there is no %s", name)
		}
	}
	have.Rules = append(slices.Clone(have.Rules), c.Rule)
	t.Chains[c.Name] = have
	return nil
}

// refers is the name that a statement needs.
func refers(s Statement) string {
	switch s := s.(type) {
	case Lookup:
		return s.Set
	case Dispatch:
		return s.Map
	case Count:
		return s.Counter
	case Verdict:
		return s.chain()
	case Forward:
		return s.Map
	}
	return ""
}

func (t Table) has(name string) bool {
	_, set := t.Sets[name]
	_, counter := t.Counters[name]
	_, chain := t.Chains[name]
	return set || counter || chain
}

// used reports whether a rule needs the name.
func (t Table) used(name string) bool {
	for _, c := range t.Chains {
		for _, r := range c.Rules {
			if slices.ContainsFunc(r, func(s Statement) bool { return refers(s) == name }) {
				return true
			}
		}
	}
	return false
}

func (t Table) ledTo(chain string) bool {
	for _, s := range t.Sets {
		for v := range maps.Values(s.Elements) {
			if s.Value == verdict && strings.HasSuffix(v, " "+chain) {
				return true
			}
		}
	}
	return t.used(chain)
}

func (t Table) element(c Command) error {
	s, ok := t.Sets[c.Name]
	if !ok {
		return fmt.Errorf("there is no set")
	}
	for k, v := range c.Set.Elements {
		_, there := s.Elements[k]
		switch {
		case there == (c.Verb == addVerb):
			return fmt.Errorf("element %q: there is one, or none", k)
		case c.Verb == deleteVerb:
			delete(s.Elements, k)
		case s.Prefixes && overlaps(s, k):
			return fmt.Errorf("element %s overlaps another", s.key(k))
		case s.Value == verdict && !t.has(Verdict(v).chain()):
			return fmt.Errorf("element %q leads nowhere", k)
		default:
			s.Elements[k] = v
		}
	}
	return nil
}

func overlaps(s Set, key string) bool {
	for k := range s.Elements {
		if prefixOf(k).Overlaps(prefixOf(key)) {
			return true
		}
	}
	return false
}
