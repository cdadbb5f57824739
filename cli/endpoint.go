package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/overlay"
)

func newEndpoint(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "endpoint COMMAND",
		Short: "Attach containers, VMs and namespaces to networks",
		Example: `  weft endpoint attach blue --netns web
  weft endpoint ls blue
  weft endpoint detach blue/web`,
	}
	cmd.AddCommand(newEndpointAttach(a), newEndpointDetach(a), newEndpointLs(a), newEndpointShow(a))
	return cmd
}

// endpointKeys reads endpoints' names, each NETWORK/NAME.
func endpointKeys(cmd *cobra.Command, args []string) ([]overlay.Key, error) {
	keys := make([]overlay.Key, len(args))
	for i, arg := range args {
		network, name, both := strings.Cut(arg, "/")
		if !both {
			return nil, usagef(cmd, "%q: want NETWORK/NAME", arg)
		}
		if err := cmp.Or(overlay.CheckName("network", network), overlay.CheckName("endpoint", name)); err != nil {
			return nil, usagef(cmd, "%v", err)
		}
		keys[i] = overlay.Key{Kind: overlay.KindEndpoint, Network: overlay.NetworkName(network), Name: name}
	}
	return keys, nil
}

func (a *app) endpointColumns() []output.Column[*overlay.Endpoint] {
	type e = *overlay.Endpoint
	return []output.Column[e]{
		{Title: "Network", Cell: func(e e) string { return string(e.Network) }},
		{Title: "Name", Cell: func(e e) string { return e.Name }},
		{Title: "Node", Cell: func(e e) string { return string(e.Spec.Node) }},
		{Title: "Addresses", Cell: func(e e) string { return output.Join(e.Spec.Addresses) }},
		{Title: "MAC", Cell: func(e e) string { return macText(e.Spec.MAC) }},
		{Title: "Attached to", Cell: attachText},
		{Title: "Lifetime", Wide: true, Cell: func(e e) string { return string(e.Spec.Lifetime) }},
		{Title: "Identity", Wide: true, Cell: func(e e) string { return e.Spec.Attach.Identity }},
		{Title: "Age", Cell: func(e e) string { return output.Since(a.now(), e.Created) }},
	}
}

func macText(m overlay.MAC) string {
	if m.IsZero() {
		return ""
	}
	return m.String()
}

// attachText says where an endpoint's port is, or behind which one a station is.
func attachText(e *overlay.Endpoint) string {
	switch at := e.Spec.Attach; {
	case e.Spec.Via != "":
		return "behind " + string(e.Spec.Via)
	case at.Type == overlay.AttachNetns:
		return fmt.Sprintf("%s in %s", first(at.Interface, "eth0"), at.Target)
	default:
		return fmt.Sprintf("%s %s", at.Type, at.Target)
	}
}
