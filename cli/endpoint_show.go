package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/overlay"
)

func newEndpointShow(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "show NETWORK/NAME",
		Short:             "Show an endpoint",
		Example:           "  weft endpoint show blue/web\n  weft endpoint show blue/web -o json",
		ValidArgsFunction: a.completeEndpoint,
	}
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		keys, err := endpointKeys(cmd, args)
		if err != nil {
			return err
		}
		_, r, err := a.resource(cmd.Context(), keys[0])
		if err != nil {
			return err
		}
		return output.One(a.stdout, *format, r.(*overlay.Endpoint), endpointDetails())
	}
	return cmd
}

func endpointDetails() []output.Column[*overlay.Endpoint] {
	type e = *overlay.Endpoint
	return []output.Column[e]{
		{Title: "Endpoint", Cell: func(e e) string { return string(e.Network) + "/" + e.Name }},
		{Title: "Node", Cell: func(e e) string { return string(e.Spec.Node) }},
		{Title: "Port", Cell: func(e e) string { return string(e.Spec.Port) }},
		{Title: "Attached to", Cell: attachText},
		{Title: "MAC", Cell: func(e e) string { return macText(e.Spec.MAC) }},
		{Title: "Addresses", Cell: func(e e) string { return output.Join(e.Spec.Addresses) }},
		{Title: "Link-local", Cell: linkLocalText},
		{Title: "Lifetime", Cell: func(e e) string { return string(e.Spec.Lifetime) }},
		{Title: "Namespace id", Cell: func(e e) string { return e.Spec.Attach.Identity }},
		{Title: "Created", Cell: func(e e) string { return timeText(e.Created) }},
		{Title: "UID", Wide: true, Cell: func(e e) string { return e.UID }},
		{Title: "Generation", Wide: true, Cell: func(e e) string { return fmt.Sprint(e.Generation) }},
		{Title: "Revision", Wide: true, Cell: func(e e) string { return fmt.Sprint(e.Revision) }},
	}
}

func linkLocalText(e *overlay.Endpoint) string {
	if e.Spec.MAC.IsZero() {
		return ""
	}
	return e.Spec.MAC.LinkLocal().String()
}
