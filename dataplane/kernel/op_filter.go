package kernel

import (
	"strings"

	"weft/dataplane/nft"
)

// setFilters changes a namespace's nft rules in one transaction, to the wanted ones.
type setFilters struct {
	NS       NS
	Want     nft.Ruleset
	Commands []nft.Command
}

func (o setFilters) String() string {
	var all []string
	for _, c := range o.Commands {
		all = append(all, c.String())
	}
	return o.NS.enter("nft", strings.Join(all, "; "))
}

// lines are the commands one by one: what a person would type on an empty host,
// where it does not matter that there are several.
func (o setFilters) lines() []string {
	var lines []string
	for _, c := range o.Commands {
		lines = append(lines, o.NS.enter("nft", c.String()))
	}
	return lines
}
