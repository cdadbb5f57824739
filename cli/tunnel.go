package cli

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/overlay"
)

func newTunnel(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tunnel COMMAND",
		Short: "Link hosts with peers that run no Weft",
		Long: `A tunnel is one point-to-point link to a peer that Weft does not manage: a router,
a site, a host with tunnels of its own. It stands alone, as an interface of its node
with addresses and routes, or it is attached to a network: to a bridged one as a part
of its segment, to a routed one as the way to the prefixes behind the peer.

A tunnel that stands alone is called NAME, one of a network NETWORK/NAME.`,
		Example: `  weft tunnel add neta --mode gre --remote 172.16.17.19 --addr 10.1.1.1/24
  weft tunnel ls
  weft tunnel show neta`,
	}
	cmd.AddCommand(newTunnelAdd(a), newTunnelLs(a), newTunnelShow(a), newTunnelStats(a), newTunnelRm(a))
	return cmd
}

// tunnelKeys reads tunnels' names, each NAME or NETWORK/NAME.
func tunnelKeys(cmd *cobra.Command, args []string) ([]overlay.Key, error) {
	keys := make([]overlay.Key, len(args))
	for i, arg := range args {
		network, name, both := strings.Cut(arg, "/")
		if !both {
			network, name = "", arg
		}
		err := overlay.CheckName("tunnel", name)
		if both {
			err = cmp.Or(overlay.CheckName("network", network), err)
		}
		if err != nil {
			return nil, usagef(cmd, "%v", err)
		}
		keys[i] = overlay.Key{Kind: overlay.KindTunnel, Network: overlay.NetworkName(network), Name: name}
	}
	return keys, nil
}

// tunnelState is a tunnel with what its node reported of it last.
type tunnelState struct {
	*overlay.Tunnel
	// Status is nil if its node has not told of it.
	Status *overlay.TunnelReport `json:"status,omitempty"`
}

// tunnelStates adds to tunnels what their nodes say: this host's agent now, the others as they
// reported last.
func (a *app) tunnelStates(ctx context.Context, server source, tunnels []overlay.Resource) ([]tunnelState, error) {
	nodes, err := list(ctx, server, listing{kinds: []overlay.Kind{overlay.KindNode}})
	if err != nil {
		return nil, err
	}
	reports := map[overlay.NodeName][]overlay.TunnelReport{}
	for _, r := range nodes {
		if n, ok := r.(*overlay.Node); ok {
			reports[overlay.NodeName(n.Name)] = n.Status.Tunnels
		}
	}
	if local, err := a.agent().Status(ctx); err == nil && local.Tunnels != nil { // it knows better, if there is one
		reports[local.Node] = local.Tunnels
	}
	states := []tunnelState{}
	for _, r := range tunnels {
		if t, ok := r.(*overlay.Tunnel); ok {
			states = append(states, tunnelState{t, tunnelReportOf(t, reports[t.Spec.Node])})
		}
	}
	return states, nil
}

func tunnelReportOf(t *overlay.Tunnel, reports []overlay.TunnelReport) *overlay.TunnelReport {
	for _, r := range reports {
		if r.Network == t.Network && string(r.Tunnel) == t.Name {
			return &r
		}
	}
	return nil
}

// tunnelColumns are those of the resource alone.
func (a *app) tunnelColumns() []output.Column[*overlay.Tunnel] {
	type t = *overlay.Tunnel
	return []output.Column[t]{
		{Title: "Name", Cell: func(t t) string { return nameOf(t.Key()) }},
		{Title: "Node", Cell: func(t t) string { return string(t.Spec.Node) }},
		{Title: "Mode", Cell: func(t t) string { return string(t.Spec.Mode) }},
		{Title: "Local", Cell: func(t t) string { return localText(t.Spec) }},
		{Title: "Remote", Cell: func(t t) string { return t.Spec.Remote }},
		{Title: "Device", Wide: true, Cell: func(t t) string { return t.Spec.Device }},
		{Title: "Addresses", Cell: func(t t) string { return output.Join(t.Spec.Addresses) }},
		{Title: "Age", Cell: func(t t) string { return output.Since(a.now(), t.Created) }},
	}
}

// localText is the outer source address, or "auto".
func localText(s overlay.TunnelSpec) string { return first(addrText(s.Local), "auto") }

// stateOf is the word for how a tunnel is.
func stateOf(r *overlay.TunnelReport) string {
	if r == nil {
		return "unknown"
	}
	return string(r.State)
}

// remoteOf is the peer's address, with the name that stands for it.
func remoteOf(s tunnelState) string {
	if _, literal := s.Spec.RemoteAddr(); literal || s.Status == nil || !s.Status.Remote.IsValid() {
		return s.Spec.Remote
	}
	return s.Spec.Remote + " (" + s.Status.Remote.String() + ")"
}

// tunnelPlane is the plane that forwards the tunnel, or the one that it asks for.
func tunnelPlane(s tunnelState) string {
	if s.Status == nil || s.Status.Plane == "" {
		return ""
	}
	return string(s.Status.Plane)
}
