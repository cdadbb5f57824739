package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weft/overlay"
)

// completionTime is how long a shell may wait for names to complete.
const completionTime = time.Second

// Completion asks quietly: without an answer in time there is nothing to
// propose, and the shell is no place for errors.

const noFiles = cobra.ShellCompDirectiveNoFileComp

func (a *app) completeNetwork(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	return a.names(cmd.Context(), overlay.KindNetwork, nil), noFiles
}

func (a *app) completeNetworks(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.names(cmd.Context(), overlay.KindNetwork, args), noFiles
}

func (a *app) completeEndpoint(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	return a.names(cmd.Context(), overlay.KindEndpoint, nil), noFiles
}

func (a *app) completeTunnel(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	return a.names(cmd.Context(), overlay.KindTunnel, nil), noFiles
}

func (a *app) completeTunnels(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.names(cmd.Context(), overlay.KindTunnel, args), noFiles
}

func (a *app) completeNode(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	return a.names(cmd.Context(), overlay.KindNode, nil), noFiles
}

func (a *app) completeNodes(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.names(cmd.Context(), overlay.KindNode, args), noFiles
}

func (a *app) completeTokens(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.names(cmd.Context(), overlay.KindToken, args), noFiles
}

func (a *app) completeKindAndName(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		kinds := make([]string, len(overlay.Kinds()))
		for i, k := range overlay.Kinds() {
			kinds[i] = strings.ToLower(string(k))
		}
		return kinds, noFiles
	}
	kind, err := overlay.ParseKind(args[0])
	if err != nil {
		return nil, noFiles
	}
	return a.names(cmd.Context(), kind, args[1:]), noFiles
}

// names lists the servers' resources of a kind, but for those given already.
func (a *app) names(ctx context.Context, kind overlay.Kind, without []string) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	server, err := a.server(ctx)
	if err != nil {
		return nil
	}
	all, err := list(ctx, server, listing{kinds: []overlay.Kind{kind}})
	if err != nil {
		return nil
	}
	var names []string
	for _, r := range all {
		names = append(names, nameOf(r.Key()))
	}
	return except(names, without)
}

// nameOf is how commands call a resource: NETWORK/NAME, or NAME.
func nameOf(k overlay.Key) string {
	if k.Network == "" {
		return k.Name
	}
	return string(k.Network) + "/" + k.Name
}

func except(names, without []string) []string {
	given := map[string]bool{}
	for _, name := range without {
		given[name] = true
	}
	var rest []string
	for _, name := range names {
		if !given[name] {
			rest = append(rest, name)
		}
	}
	return rest
}

// completeLocalNetwork proposes the networks that this host takes part in.
func (a *app) completeLocalNetwork(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	report, err := a.agent().Status(ctx)
	if err != nil {
		return nil, noFiles
	}
	var names []string
	for _, r := range report.Networks {
		names = append(names, string(r.Network))
	}
	return names, noFiles
}

func (a *app) completeLocalEndpoint(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	all, err := a.agent().Endpoints(ctx, "")
	if err != nil {
		return nil, noFiles
	}
	var names []string
	for _, e := range all {
		names = append(names, nameOf(e.Key()))
	}
	return except(names, args), noFiles
}
