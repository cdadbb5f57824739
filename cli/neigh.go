package cli

import (
	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/dataplane"
)

func newNeigh(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "neigh NETWORK",
		Short: "Show which address has which MAC",
		Long: `Show a network's neighbours on this host, read from the kernel: what ARP and ND
are answered from, where each entry comes from, and its age.`,
		Example: `  weft neigh blue
  weft neigh blue -o wide`,
		SuggestFor: []string{"neighbor", "neighbour", "arp"},
	}
	type n = dataplane.Neighbor
	return view(a, cmd, func(v dataplane.NetworkView) []n { return v.Neighbors }, []output.Column[n]{
		{Title: "Address", Cell: func(n n) string { return addrText(n.Address) }},
		{Title: "MAC", Cell: func(n n) string { return macText(n.MAC) }},
		{Title: "State", Cell: func(n n) string { return n.State }},
		{Title: "Origin", Cell: func(n n) string { return string(n.Origin) }},
		{Title: "Age", Cell: func(n n) string { return output.Duration(n.Age) }},
		{Title: "Device", Wide: true, Cell: func(n n) string { return n.Device }},
	})
}
