package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/overlay"
	"weft/store"
)

func newTunnelAdd(a *app) *cobra.Command {
	t := &overlay.Tunnel{Meta: overlay.Meta{Kind: overlay.KindTunnel}}
	var f tunnelFlags
	cmd := &cobra.Command{
		Use:   "add NAME --mode MODE --remote ADDRESS",
		Short: "Make a tunnel, and print what it has",
		Long: `Make a tunnel on a node, this one unless --node names another, and print what it has.
Options have the words of ip-tunnel(8) and ip-link(8). What is not said has the
default in brackets.

  gre             IPv4 and IPv6 in GRE, with keys, checksums and sequence numbers
  gretap          Ethernet in GRE, with the same options
  ipip, sit       IPv4, and IPv6, in IP
  vxlan, geneve   Ethernet in UDP; a remote of vxlan may be a multicast group
  udp             IPv4 and IPv6 in UDP, as flannel's udp backend does

Routes lead through the tunnel as long as the peer answers the keep-alive, if there is
one. With --network the tunnel is attached to a network: vxlan, geneve and gretap to a
bridged one, the others to a routed one, whose members then have the routes.`,
		Example: `  weft tunnel add neta --mode gre --local 172.16.17.18 --remote 172.16.17.19 --ttl 255 \
    --ikey 0x111111 --okey 0x222222 --csum --seq --addr 10.1.1.1/24 --route 10.0.2.0/24
  weft tunnel add netb --mode ipip --remote 172.16.17.20 --addr 10.1.2.1/32 \
    --route 10.1.8.0/24,via=10.1.2.2,metric=20
  weft tunnel add vx --mode vxlan --vni 7 --remote 239.1.1.1 --underlay eth1 \
    --addr 10.1.3.1/24
  weft tunnel add site --network green --mode gre --remote gw.example.net \
    --route 10.20.0.0/16 --keepalive 10.20.0.1`,
		SuggestFor: []string{"create", "new"},
	}
	f.add(cmd, t)
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		t.Name = args[0]
		f.into(&t.Spec)
		if t.Spec.Mode == "" {
			return usagef(cmd, "no mode; say with --mode how packets cross the underlay: %s", output.Join(overlay.TunnelModes()))
		}
		if err := a.nodeOf(cmd, t); err != nil {
			return err
		}
		if err := t.Validate(); err != nil {
			return withCode(exitUsage, "%w", err)
		}
		server, err := a.server(cmd.Context())
		if err != nil {
			return err
		}
		made, _, err := server.Update(cmd.Context(), store.Change{Put: t, Expect: store.Absent})
		if err != nil {
			return err
		}
		if format.Structured() {
			return output.One(a.stdout, *format, made, nil)
		}
		if _, err := fmt.Fprintf(a.stdout, "%s created\n", made.Key()); err != nil {
			return err
		}
		return output.One(a.stdout, *format, tunnelState{Tunnel: made.(*overlay.Tunnel)}, tunnelDetails())
	}
	return cmd
}

// nodeOf has the tunnel be on this node, if no other is named.
func (a *app) nodeOf(cmd *cobra.Command, t *overlay.Tunnel) error {
	if t.Spec.Node != "" {
		return nil
	}
	report, err := a.agent().Status(cmd.Context())
	if err != nil {
		return usagef(cmd, "say with --node on which node: %v", err)
	}
	t.Spec.Node = report.Node
	return nil
}
