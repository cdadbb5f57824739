package nft

import (
	"fmt"
	"strings"
)

// Command is one change to a Ruleset. It prints as nft(8) takes it.
type Command struct {
	Verb string // add, delete or flush
	// What: table, counter, set, map, element, chain or rule.
	What   string
	Family Family
	// Name of the counter, set or chain that it is about; of a rule, the chain's.
	Name string
	// Set is set for sets, maps and elements: of elements, those to add or delete.
	Set Set
	// Hook is set for chains.
	Hook Hook
	// Rule is set for rules, which come behind those that are there.
	Rule Rule
}

// Verbs of a Command.
const (
	addVerb    = "add"
	deleteVerb = "delete"
	flushVerb  = "flush"
)

func (c Command) String() string {
	words := []string{c.Verb, c.What, c.Family.String(), TableName}
	if c.Name != "" {
		words = append(words, c.Name)
	}
	switch {
	case c.What == "element":
		words = append(words, "{ "+c.elements()+" }")
	case c.Verb != addVerb:
	case c.What == "set" || c.What == "map":
		words = append(words, "{ "+c.Set.definition()+" }")
	case c.What == "chain" && c.Hook != Hook{}:
		words = append(words, c.Hook.definition())
	case c.What == "rule":
		words = append(words, c.Rule.String())
	}
	return strings.Join(words, " ")
}

func (c Command) elements() string {
	var list []string
	for _, k := range sortedKeys(c.Set.Elements) {
		if c.Verb == deleteVerb {
			list = append(list, c.Set.key(k))
		} else {
			list = append(list, c.Set.element(k, c.Set.Elements[k]))
		}
	}
	return strings.Join(list, ", ")
}

// definition is what nft(8) has for a base chain.
func (h Hook) definition() string {
	device := ""
	if h.Device != "" {
		device = " device " + quoted(h.Device)
	}
	return fmt.Sprintf("{ type filter hook %s%s priority %d; policy accept; }", h.Name, device, h.Priority)
}

// Script is the commands as nft -f runs them, in one transaction.
func Script(commands []Command) string {
	var b strings.Builder
	for _, c := range commands {
		b.WriteString(c.String())
		b.WriteByte('\n')
	}
	return b.String()
}
