package cli

import (
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/overlay"
	"weft/store"
)

func newNetworkCreate(a *app) *cobra.Command {
	n := &overlay.Network{Meta: overlay.Meta{Kind: overlay.KindNetwork}}
	var subnet4, subnet6 netip.Prefix
	cmd := &cobra.Command{
		Use:   "create NAME --subnet PREFIX",
		Short: "Create a network, and print what was chosen for it",
		Long: `Create a network, and print what was chosen for it. A bridged network is one
Ethernet segment over all hosts; in a routed one each host owns a block of the
subnet. It takes an IPv4 subnet, an IPv6 subnet, or both.

Hosts find each other by the registry. Peers are hosts that run no Weft: in
discovery registry they are there beside those that do, in discovery static
alone. In discovery multicast whoever joins the group takes part.`,
		Example: `  weft network create blue --subnet 10.7.0.0/24
  weft network create blue --subnet 10.7.0.0/24 --subnet6 fd00:7::/64 --vni 7000
  weft network create green --kind routed --subnet 10.8.0.0/16 --direct-routing
  weft network create lab --subnet 10.1.1.0/24 --discovery multicast \
    --group 239.1.1.1 --underlay-device eth1
  weft network create site --subnet 10.9.0.0/24 --discovery static \
    --peer 192.0.2.9,station=02:00:5e:10:00:01@10.9.0.9
  weft network create pods --kind routed --subnet 10.244.0.0/16 --vni 1 --port 8472 \
    --peer 192.0.2.9,mac=02:00:5e:10:00:02,block=10.244.1.0/24`,
		SuggestFor: []string{"add", "new"},
	}
	flags := cmd.Flags()
	flags.Var(&value[netip.Prefix]{name: "PREFIX", into: &subnet4, parse: parsePrefix(overlay.V4, "10.7.0.0/24", "--subnet6")}, "subnet", "IPv4 subnet")
	flags.Var(&value[netip.Prefix]{name: "PREFIX", into: &subnet6, parse: parsePrefix(overlay.V6, "fd00:7::/64", "--subnet")}, "subnet6", "IPv6 subnet")
	flags.Var(several("ADDRESS", parseAddress, &n.Spec.Gateways), "gateway", "gateway address, one in each subnet [the first of each]")
	flags.Var(&value[overlay.VNI]{name: "VNI", into: &n.Spec.VNI, parse: parseVNI}, "vni", "identifier on the wire, 1 to 16777215 [chosen]")
	flags.Var(choice(&n.Spec.Kind, overlay.Bridged, overlay.Routed), "kind", "what the members share [bridged]")
	flags.Var(choice(&n.Spec.Encapsulation, overlay.EncapVXLAN, overlay.EncapGeneve, overlay.EncapGRE, overlay.EncapIPIP, overlay.EncapSIT, overlay.EncapUDP, overlay.EncapNone),
		"encapsulation", "how packets cross the underlay; ipip, sit, udp and none are for routed networks [vxlan]")
	flags.Var(&value[uint16]{name: "PORT", into: &n.Spec.Port, parse: parsePort}, "port", "UDP destination port of the encapsulation [4789]")
	flags.Var(&value[int]{name: "BYTES", into: &n.Spec.MTU, parse: parseMTU}, "mtu", "MTU of the endpoints' interfaces [computed]")
	flags.Var(choice(&n.Spec.Underlay, overlay.FamilyAuto, overlay.V4, overlay.V6), "underlay", "family of addresses that carries the packets [auto]")
	flags.Var(choice(&n.Spec.Plane, overlay.PlaneAuto, overlay.PlaneKernel, overlay.PlaneEBPF, overlay.PlaneUser), "plane", "what forwards on the hosts [auto]")
	flags.Var(choice(&n.Spec.BUM, overlay.BUMReplicate, overlay.BUMNone), "bum", "broadcast and multicast between hosts; bridged networks [replicate]")
	flags.BoolVar(&n.Spec.DirectRouting, "direct-routing", false, "do not encapsulate between hosts on one segment; routed networks")
	flags.Var(&value[int]{name: "LENGTH", into: &n.Spec.BlockBits4, parse: parseLength(8, 30)}, "block-bits4", "prefix length of a host's IPv4 block; routed networks [24, or longer]")
	flags.Var(&value[int]{name: "LENGTH", into: &n.Spec.BlockBits6, parse: parseLength(16, 126)}, "block-bits6", "prefix length of a host's IPv6 block; routed networks [64, or longer]")
	discoveryFlags(flags, &n.Spec)
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n.Name = args[0]
		for _, p := range []netip.Prefix{subnet4, subnet6} {
			if p.IsValid() {
				n.Spec.Subnets = append(n.Spec.Subnets, p)
			}
		}
		if err := n.Validate(); err != nil {
			return withCode(exitUsage, "%w", err)
		}
		if e := n.Spec.Complete().Encapsulation; n.Spec.VNI != 0 && !e.HasVNI() {
			return usagef(cmd, "--vni %s: packets of encapsulation %s carry no VNI; leave it out", n.Spec.VNI, e)
		}
		server, err := a.server(cmd.Context())
		if err != nil {
			return err
		}
		made, _, err := server.Update(cmd.Context(), store.Change{Put: n, Expect: store.Absent})
		if err != nil {
			return err
		}
		if err := a.warnOfSegments(cmd.Context(), server, made.(*overlay.Network)); err != nil {
			return err
		}
		if format.Structured() {
			return output.One(a.stdout, *format, made, nil)
		}
		if _, err := fmt.Fprintf(a.stdout, "%s created\n", made.Key()); err != nil {
			return err
		}
		return output.One(a.stdout, *format, made.(*overlay.Network), createdColumns())
	}
	return cmd
}

// createdColumns are what matters of a new network.
func createdColumns() []output.Column[*overlay.Network] {
	type n = *overlay.Network
	return []output.Column[n]{
		{Title: "VNI", Cell: func(n n) string { return n.Spec.VNI.String() }},
		{Title: "Kind", Cell: func(n n) string { return string(n.Spec.Kind) }},
		{Title: "Subnets", Cell: func(n n) string { return output.Join(n.Spec.Subnets) }},
		{Title: "Gateways", Cell: func(n n) string { return output.Join(n.Spec.Gateways) }},
		{Title: "Gateway MAC", Wide: true, Cell: func(n n) string { return n.Spec.VNI.GatewayMAC().String() }},
		{Title: "Encapsulation", Cell: encapsulationText},
		{Title: "Blocks", Cell: blockBitsText},
	}
}
