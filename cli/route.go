package cli

import (
	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/dataplane"
)

func newRoute(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "route NETWORK",
		Short: "Show a network's routes on this host",
		Long: `Show a network's routes on this host, read from the kernel, with the node that each
leads to. Bridged networks have only those to their own subnets. Those in namespace bpf
are the eBPF plane's: programs go by them before the kernel does.`,
		Example: `  weft route green
  weft route green -o json`,
	}
	type r = dataplane.HostRoute
	return view(a, cmd, func(v dataplane.NetworkView) []r { return v.Routes }, []output.Column[r]{
		{Title: "Prefix", Cell: func(r r) string { return r.Prefix.String() }},
		{Title: "Type", Cell: func(r r) string { return r.Type }},
		{Title: "Via", Cell: func(r r) string { return addrText(r.Via) }},
		{Title: "Device", Cell: func(r r) string { return r.Device }},
		{Title: "Node", Cell: func(r r) string { return string(r.Node) }},
		{Title: "Origin", Cell: func(r r) string { return string(r.Origin) }},
		{Title: "Namespace", Wide: true, Cell: func(r r) string { return r.Namespace }},
	})
}
