package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/overlay"
)

func newNode(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "node COMMAND",
		Short: "List and remove the hosts that run Weft, and say how they forward",
		Long: `List and remove the hosts that run Weft, and say how they forward. A host becomes a node
by itself, when its agent joins: see "weft token create".`,
		Example: `  weft node ls
  weft node show a
  weft node migrate-plane a blue --to ebpf
  weft node rm a`,
	}
	cmd.AddCommand(newNodeLs(a), newNodeShow(a), newNodeMigratePlane(a), newNodeRm(a))
	return cmd
}

func (a *app) nodeColumns() []output.Column[*overlay.Node] {
	type n = *overlay.Node
	return []output.Column[n]{
		{Title: "Name", Cell: func(n n) string { return n.Name }},
		{Title: "Underlay", Cell: func(n n) string { return output.Join(n.Spec.Underlay) }},
		{Title: "MTU", Cell: func(n n) string { return number(n.Spec.UnderlayMTU) }},
		{Title: "VTEP MAC", Wide: true, Cell: func(n n) string { return macText(n.Spec.VTEPMAC) }},
		{Title: "Planes", Wide: true, Cell: func(n n) string { return output.Join(n.Spec.Planes) }},
		{Title: "Networks", Cell: func(n n) string { return fmt.Sprint(len(n.Status.Networks)) }},
		{Title: "State", Cell: func(n n) string { return matchText(n.Status.Networks) }},
		{Title: "Seen", Cell: func(n n) string { return agoText(output.Since(a.now(), n.Status.Seen)) }},
		{Title: "Version", Cell: func(n n) string { return n.Status.Version }},
		{Title: "Kernel", Wide: true, Cell: func(n n) string { return n.Status.Kernel }},
		{Title: "Age", Cell: func(n n) string { return output.Since(a.now(), n.Created) }},
	}
}

// matchText says whether a node's networks are as wanted.
func matchText(networks []overlay.NetworkReport) string {
	differ := 0
	for _, r := range networks {
		if !matches(r) {
			differ++
		}
	}
	switch {
	case len(networks) == 0:
		return "no networks"
	case differ == 0:
		return "matches"
	case len(networks) == 1:
		return "differs"
	}
	return fmt.Sprintf("%d of %d differ", differ, len(networks))
}

func matches(r overlay.NetworkReport) bool { return len(r.Differs) == 0 && r.Wanted == r.Present }

// agoText makes "3m ago" of "3m".
func agoText(since string) string {
	if since == "" {
		return "never"
	}
	return since + " ago"
}
