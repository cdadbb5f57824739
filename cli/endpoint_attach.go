package cli

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"weft/api/agentapi"
	"weft/cli/output"
	"weft/overlay"
)

// attachTargets holds the flags that say what is attached; exactly one is given.
type attachTargets struct {
	netns, tap, veth, bridge string
}

func newEndpointAttach(a *app) *cobra.Command {
	var (
		targets attachTargets
		r       agentapi.AttachRequest
	)
	cmd := &cobra.Command{
		Use:   "attach NETWORK (--netns NAME|PATH|PID | --tap NAME | --veth NAME | --bridge NAME)",
		Short: "Attach something on this host to a network",
		Long: `Attach something on this host to a network, and print what it got. The command
returns when the endpoint works. Attaching again what is attached in the same
way changes nothing.

  --netns   a network namespace gets an interface (eth0) with MAC, addresses and
            default routes: a container's or one of "ip netns"
  --tap     a tap device is made for a virtual machine
  --veth    a veth device is made, and left to the caller, who may move, rename and
            use it; if it goes with the namespace that it was moved to, it is made
            again on this host
  --bridge  a bridge that exists already joins as a segment: what is behind it is
            learnt, and only Weft's own port is added to it

Addresses and the MAC are chosen unless they are asked for.`,
		Example: `  weft endpoint attach blue --netns web
  weft endpoint attach blue --netns 4242 --ifname net1 --name web
  weft endpoint attach blue --netns /run/netns/db --ip 10.7.0.5,fd00:7::5 --lifetime kept
  weft endpoint attach blue --tap vm1 --mac 02:00:5e:10:00:01
  weft endpoint attach blue --bridge docker0`,
		ValidArgsFunction: a.completeNetwork,
	}
	flags := cmd.Flags()
	flags.StringVar(&targets.netns, "netns", "", "a network namespace: its `NAME|PATH|PID`")
	flags.StringVar(&targets.tap, "tap", "", "the `NAME` of the tap device to make")
	flags.StringVar(&targets.veth, "veth", "", "the `NAME` of the veth device to make")
	flags.StringVar(&targets.bridge, "bridge", "", "the `NAME` of a bridge of this host")
	flags.Var(&value[overlay.EndpointName]{name: "NAME", parse: parseEndpointName, into: &r.Name}, "name", "the endpoint's name [from what is attached]")
	flags.Var(several("ADDRESS", parseAddress, &r.Addresses), "ip", "address to have, one of each family at most [chosen]")
	flags.Var(&value[overlay.MAC]{name: "MAC", parse: parseMAC, into: &r.MAC}, "mac", "MAC to have [chosen]")
	flags.StringVar(&r.Interface, "ifname", "", "the interface's `NAME` inside the namespace [eth0]")
	flags.Var(choice(&r.Lifetime, overlay.Bound, overlay.Kept), "lifetime", "when the namespace goes: bound detaches, kept waits for its name to come back [bound]")
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r.Network = overlay.NetworkName(args[0])
		if err := targets.into(&r); err != nil {
			return usagef(cmd, "%v", err)
		}
		made, err := a.agent().Attach(cmd.Context(), r)
		if err != nil {
			return err
		}
		for _, problem := range made.Problems {
			if err := a.warn("network %s: %s", r.Network, problem); err != nil {
				return err
			}
		}
		return output.One(a.stdout, *format, made, attachmentColumns())
	}
	return cmd
}

// into completes the request with what is attached, and refuses what does not
// go together.
func (t attachTargets) into(r *agentapi.AttachRequest) error {
	given := 0
	for kind, target := range map[overlay.AttachType]string{
		overlay.AttachNetns: t.netns, overlay.AttachTap: t.tap, overlay.AttachVeth: t.veth, overlay.AttachBridge: t.bridge,
	} {
		if target != "" {
			r.Type, r.Target = kind, target
			given++
		}
	}
	switch {
	case given == 0:
		return errors.New("nothing to attach; give --netns, --tap, --veth or --bridge")
	case given > 1:
		return errors.New("want only one of --netns, --tap, --veth and --bridge; attach the others one by one")
	case r.Type != overlay.AttachNetns && r.Interface != "":
		return errors.New("--ifname is for --netns; the others have a name already")
	case r.Type != overlay.AttachNetns && r.Lifetime != "":
		return errors.New("--lifetime is for --netns")
	case r.Type == overlay.AttachBridge && (len(r.Addresses) > 0 || !r.MAC.IsZero()):
		return errors.New("--bridge takes neither --ip nor --mac: what is behind the bridge has its own")
	}
	if err := checkFamilies(r.Addresses); err != nil {
		return err
	}
	return checkTarget(r)
}

// checkTarget makes a relative path absolute, since the agent runs elsewhere.
func checkTarget(r *agentapi.AttachRequest) error {
	if r.Type != overlay.AttachNetns {
		return overlay.CheckInterfaceName("--"+string(r.Type), r.Target)
	}
	if strings.Contains(r.Target, "/") {
		path, err := filepath.Abs(r.Target)
		if err != nil {
			return err
		}
		r.Target = path
	}
	if r.Interface == "" {
		return nil
	}
	return overlay.CheckInterfaceName("--ifname", r.Interface)
}

func attachmentColumns() []output.Column[agentapi.Attachment] {
	type m = agentapi.Attachment
	return []output.Column[m]{
		{Title: "Endpoint", Cell: func(m m) string { return string(m.Endpoint.Network) + "/" + m.Endpoint.Name }},
		{Title: "Addresses", Cell: func(m m) string { return output.Join(m.Endpoint.Spec.Addresses) }},
		{Title: "MAC", Cell: func(m m) string { return macText(m.Endpoint.Spec.MAC) }},
		{Title: "Attached to", Cell: func(m m) string { return attachText(m.Endpoint) }},
		{Title: "Gateway", Cell: func(m m) string { return output.Join(m.Gateways) }},
		{Title: "MTU", Cell: func(m m) string { return number(m.MTU) }},
		{Title: "Node", Wide: true, Cell: func(m m) string { return string(m.Endpoint.Spec.Node) }},
		{Title: "Lifetime", Wide: true, Cell: func(m m) string { return string(m.Endpoint.Spec.Lifetime) }},
	}
}
