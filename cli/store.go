package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/overlay"
	"weft/store"
)

func newStore(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store COMMAND",
		Short: "Show and recover a store that was wiped or restored",
		Long: `Show and recover the servers' store. When it is found to be wiped, or restored from an
older copy, the nodes keep everything as it is and nothing is allocated: what the store
lacks may be in use. An administrator then decides with "weft store recover".`,
		Example: `  weft store show
  weft store recover --from-nodes`,
	}
	cmd.AddCommand(newStoreShow(a), newStoreRecover(a))
	return cmd
}

// standingDetails is what the store knows of itself.
func (a *app) standingDetails() []output.Column[store.Standing] {
	type s = store.Standing
	return []output.Column[s]{
		{Title: "State", Cell: standingText},
		{Title: "Revision", Cell: revisionText},
		{Title: "Since", Cell: func(s s) string { return agoText(output.Since(a.now(), s.Since)) }},
		{Title: "Why", Cell: func(s s) string { return s.Reason }},
		{Title: "Replaces", Wide: true, Cell: func(s s) string { return strings.Join(s.Replaces, "\n") }},
		{Title: "Nodes", Cell: func(s s) string { return strings.Join(toldLines(s), "\n") }},
	}
}

// revisionText is where the store is. Putting it on hold gives it a new incarnation,
// so that everybody notices; the reason names the one that it was found as.
func revisionText(s store.Standing) string {
	if s.Phase == store.Sound || s.Base.IsZero() {
		return s.Revision.String()
	}
	return fmt.Sprintf("%s (%s before it was put on hold)", s.Revision, s.Base)
}

func standingText(s store.Standing) string {
	switch s.Phase {
	case store.Sound:
		return "relied upon"
	case store.Held:
		return "on hold: nothing is allocated until weft store recover"
	}
	return "on hold: the nodes tell what they have"
}

// toldLines is a line for each node, and one for each thing that was not put back.
func toldLines(s store.Standing) []string {
	var lines []string
	for _, n := range toldNodes(s) {
		switch {
		case !n.Own && s.Phase == store.Held:
			lines = append(lines, string(n.name))
			continue
		case !n.Own:
			lines = append(lines, string(n.name)+": has not told")
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: has told; %d put back, %d in conflict", n.name, n.Restored, len(n.Conflicts)))
		for _, c := range n.Conflicts {
			lines = append(lines, "  "+c)
		}
	}
	return lines
}

// toldNode is one node of a standing.
type toldNode struct {
	name overlay.NodeName
	store.Told
}

func toldNodes(s store.Standing) []toldNode {
	var nodes []toldNode
	for name, told := range s.Nodes {
		nodes = append(nodes, toldNode{name, told})
	}
	slices.SortFunc(nodes, func(a, b toldNode) int { return cmp.Compare(a.name, b.name) })
	return nodes
}

// holdLines say in weft status that the store is on hold, if it is.
func holdLines(hold string) []string {
	if hold == "" {
		return nil
	}
	return []string{"the store is on hold: " + hold + "; weft store recover"}
}
