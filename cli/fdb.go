package cli

import (
	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/dataplane"
)

func newFDB(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fdb NETWORK",
		Short: "Show which MAC is behind which port or node",
		Long: `Show a network's forwarding database on this host, read from the kernel: each MAC
with its local port or the node and VTEP that it is behind, where the entry comes
from (registry: programmed by Weft; static: set by hand; learnt: from traffic) and
its age.`,
		Example: `  weft fdb blue
  weft fdb blue -o json | jq '.[] | select(.origin == "learnt")'`,
	}
	type e = dataplane.FDBEntry
	return view(a, cmd, func(v dataplane.NetworkView) []e { return v.FDB }, []output.Column[e]{
		{Title: "MAC", Cell: func(e e) string { return e.MAC.String() }},
		{Title: "Endpoint", Cell: func(e e) string { return string(e.Port) }},
		{Title: "Node", Cell: func(e e) string { return string(e.Node) }},
		{Title: "VTEP", Cell: func(e e) string { return addrText(e.VTEP) }},
		{Title: "Device", Cell: func(e e) string { return e.Device }},
		{Title: "Origin", Cell: func(e e) string { return string(e.Origin) }},
		{Title: "Age", Cell: func(e e) string { return output.Duration(e.Age) }},
	})
}
