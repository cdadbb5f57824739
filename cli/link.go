package cli

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/dataplane"
)

func newLink(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "link NETWORK",
		Short: "Show a network's devices on this host",
		Long: `Show a network's devices on this host, read from the kernel: its bridge, its
tunnel device with VNI, addresses and socket, or such a device for each node (geneve,
gre, ipip and sit on the kernel plane), and its ports. On the eBPF plane there is no
bridge, and the network's namespace is reached by gw0 and wfgw.`,
		Example: `  weft link blue
  weft link blue -o wide
  weft link blue -o json | jq '.[] | select(.tunnel) | .tunnel.vni'`,
	}
	return view(a, cmd, func(v dataplane.NetworkView) []dataplane.Link { return v.Links }, linkColumns())
}

func linkColumns() []output.Column[dataplane.Link] {
	type l = dataplane.Link
	// ofTunnel is a column of tunnel devices; the others have no such thing.
	ofTunnel := func(title string, wide bool, cell func(*dataplane.TunnelView) string) output.Column[l] {
		return output.Column[l]{Title: title, Wide: wide, Cell: func(l l) string {
			if l.Tunnel == nil {
				return ""
			}
			return cell(l.Tunnel)
		}}
	}
	return []output.Column[l]{
		{Title: "Device", Cell: func(l l) string { return l.Device }},
		{Title: "Type", Cell: func(l l) string { return l.Type }},
		{Title: "Namespace", Cell: func(l l) string { return l.Namespace }},
		{Title: "State", Cell: func(l l) string { return upText(l.Up) }},
		{Title: "MTU", Cell: func(l l) string { return number(l.MTU) }},
		{Title: "MAC", Wide: true, Cell: func(l l) string { return macText(l.MAC) }},
		{Title: "Endpoint", Cell: func(l l) string { return string(l.Port) }},
		ofTunnel("VNI", false, func(t *dataplane.TunnelView) string { return number(int(t.VNI)) }),
		ofTunnel("Local", false, func(t *dataplane.TunnelView) string { return addrText(t.Local) }),
		ofTunnel("Remotes", false, remotesText),
		ofTunnel("Underlay", true, func(t *dataplane.TunnelView) string { return first(t.Device, "by route") }),
		ofTunnel("Source ports", true, sourcesText),
		ofTunnel("Port", false, func(t *dataplane.TunnelView) string { return number(int(t.Port)) }),
		ofTunnel("TTL", true, func(t *dataplane.TunnelView) string { return first(number(t.TTL), "host's") }),
		ofTunnel("Learning", true, func(t *dataplane.TunnelView) string { return output.YesNo(t.Learning) }),
		ofTunnel("Ageing", true, func(t *dataplane.TunnelView) string { return output.Duration(t.Ageing) }),
		ofTunnel("Checksum", true, func(t *dataplane.TunnelView) string { return output.YesNo(t.Checksum) }),
		{Title: "From", Wide: true, Cell: func(l l) string { return fromText(l.Traffic) }},
		{Title: "To", Wide: true, Cell: func(l l) string { return toText(l.Traffic) }},
		ofTunnel("Listening", false, func(t *dataplane.TunnelView) string { return t.Listening }),
	}
}

// sourcesText is the range of UDP source ports, and nothing where there is no UDP.
func sourcesText(t *dataplane.TunnelView) string {
	if t.SourcePorts == [2]uint16{} {
		return ""
	}
	return fmt.Sprintf("%d-%d", t.SourcePorts[0], t.SourcePorts[1])
}

// remotesText is the tunnel's multicast group, or the VTEPs that broadcast goes to.
func remotesText(t *dataplane.TunnelView) string {
	if t.Group.IsValid() {
		return "group " + t.Group.String()
	}
	return output.Join(t.Remotes)
}

func upText(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

// number prints n, and nothing for zero.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
