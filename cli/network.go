package cli

import (
	"strconv"

	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/overlay"
)

func newNetwork(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "network COMMAND",
		Short: "Create, list and remove virtual networks",
		Example: `  weft network create blue --subnet 10.7.0.0/24
  weft network ls
  weft network show blue`,
	}
	cmd.AddCommand(newNetworkCreate(a), newNetworkLs(a), newNetworkShow(a), newNetworkRm(a))
	return cmd
}

func (a *app) networkColumns() []output.Column[*overlay.Network] {
	type n = *overlay.Network
	return []output.Column[n]{
		{Title: "Name", Cell: func(n n) string { return n.Name }},
		{Title: "VNI", Cell: func(n n) string { return n.Spec.VNI.String() }},
		{Title: "Kind", Cell: func(n n) string { return string(n.Spec.Kind) }},
		{Title: "Subnets", Cell: func(n n) string { return output.Join(n.Spec.Subnets) }},
		{Title: "Gateways", Cell: func(n n) string { return output.Join(n.Spec.Gateways) }},
		{Title: "Encapsulation", Cell: encapsulationText},
		{Title: "MTU", Cell: func(n n) string { return first(number(n.Spec.MTU), "auto") }},
		{Title: "Plane", Wide: true, Cell: func(n n) string { return string(n.Spec.Plane) }},
		{Title: "Underlay", Wide: true, Cell: func(n n) string { return string(n.Spec.Underlay) }},
		{Title: "BUM", Wide: true, Cell: bumText},
		{Title: "Direct routing", Wide: true, Cell: directText},
		{Title: "Age", Cell: func(n n) string { return output.Since(a.now(), n.Created) }},
	}
}

// encapsulationText is "vxlan:4789"; none has no port.
func encapsulationText(n *overlay.Network) string {
	if n.Spec.Encapsulation == overlay.EncapNone {
		return string(overlay.EncapNone)
	}
	return string(n.Spec.Encapsulation) + ":" + strconv.Itoa(int(n.Spec.Port))
}

// bumText and directText leave out what has no meaning for the network's kind.
func bumText(n *overlay.Network) string {
	if n.Spec.Kind == overlay.Routed {
		return ""
	}
	return string(n.Spec.BUM)
}

func directText(n *overlay.Network) string {
	if n.Spec.Kind != overlay.Routed {
		return ""
	}
	return output.YesNo(n.Spec.DirectRouting)
}
