package cli

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/dataplane"
	"weft/overlay"
)

// trafficOf is what weft traffic shows of a network.
type trafficOf struct {
	Ports []portTraffic    `json:"ports"`
	Nodes []dataplane.Peer `json:"nodes"`
	// Total has also what has gone.
	Total overlay.NetworkTraffic `json:"total"`
	// Drops counts packets, Dropped has bytes for those reasons of which they are counted, and
	// Untold are reasons for which some may be dropped that nobody counts.
	Drops   overlay.Drops                        `json:"drops"`
	Dropped map[overlay.DropReason]overlay.Count `json:"dropped,omitempty"`
	Untold  []overlay.DropReason                 `json:"untold,omitempty"`
}

// portTraffic is that of one device.
type portTraffic struct {
	Device   string               `json:"device"`
	Endpoint overlay.EndpointName `json:"endpoint,omitempty"`
	overlay.Traffic
}

func newTraffic(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "traffic NETWORK",
		Short: "Show what a network's ports and nodes have sent, and what was dropped",
		Long: `Show what the ports of a network on this host and the other nodes have sent into it
(FROM), and what was sent to them (TO): packets, and bytes of the frames without what is
around them in a tunnel. Packets that the host has not yet cut into several for the wire
count once. The totals have what is gone, too. A dash is nothing, "not counted" what the
plane does not count: the kernel plane knows no nodes. On the eBPF plane "all ports" is
what programs have counted, and a tunnel of mode udp is not among it.

Drops are counted by why, since the network was made here.`,
		Example: `  weft traffic blue
  weft traffic blue -o json | jq '.nodes[] | {node, traffic}'`,
		ValidArgsFunction: a.completeLocalNetwork,
	}
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		v, err := a.agent().View(cmd.Context(), overlay.NetworkName(args[0]))
		if err != nil {
			return err
		}
		t := trafficIn(v)
		if format.Structured() {
			return output.One(a.stdout, *format, t, nil)
		}
		return a.printTraffic(*format, t)
	}
	return cmd
}

func trafficIn(v dataplane.NetworkView) trafficOf {
	t := trafficOf{Ports: []portTraffic{}, Nodes: v.Nodes, Total: v.Traffic, Drops: v.Drops, Dropped: v.Dropped, Untold: v.Untold}
	for _, l := range v.Links {
		if l.Traffic != nil && (l.Tunnel == nil || l.Port != "") {
			t.Ports = append(t.Ports, portTraffic{l.Device, l.Port, *l.Traffic})
		}
	}
	return t
}

// trafficLine is a line of the table: who, and what.
type trafficLine struct {
	kind, name, at string
	traffic        *overlay.Traffic
}

func (a *app) printTraffic(f output.Format, t trafficOf) error {
	var lines []trafficLine
	for _, p := range t.Ports {
		kind := "port"
		if p.Endpoint == "" {
			kind = "gateway"
		}
		lines = append(lines, trafficLine{kind, string(p.Endpoint), p.Device, &p.Traffic})
	}
	for _, n := range t.Nodes {
		lines = append(lines, trafficLine{"node", string(n.Node), n.VTEP.String(), n.Traffic})
	}
	lines = append(lines, trafficLine{"all ports", "", "", t.Total.Ports}, trafficLine{"all nodes", "", "", t.Total.Nodes})
	type l = trafficLine
	if err := output.List(a.stdout, f, lines, []output.Column[l]{
		{Title: "Kind", Cell: func(l l) string { return l.kind }},
		{Title: "Name", Cell: func(l l) string { return l.name }},
		{Title: "At", Cell: func(l l) string { return l.at }},
		{Title: "From", Cell: func(l l) string { return fromText(l.traffic) }},
		{Title: "To", Cell: func(l l) string { return toText(l.traffic) }},
	}); err != nil {
		return err
	}
	return a.printDropCounts(f, t)
}

func (a *app) printDropCounts(f output.Format, t trafficOf) error {
	reasons := slices.DeleteFunc(slices.Sorted(maps.Keys(t.Drops)), func(why overlay.DropReason) bool { return t.Drops[why] == 0 })
	if len(reasons) == 0 {
		return nil
	}
	if err := a.blankLine(); err != nil {
		return err
	}
	return output.List(a.stdout, f, reasons, []output.Column[overlay.DropReason]{
		{Title: "Dropped", Cell: func(why overlay.DropReason) string { return string(why) }},
		{Title: "Packets", Cell: func(why overlay.DropReason) string {
			if c, ok := t.Dropped[why]; ok {
				return c.String()
			}
			return fmt.Sprint(t.Drops[why])
		}},
	})
}

const notCounted = "not counted"

func fromText(t *overlay.Traffic) string {
	if t == nil {
		return notCounted
	}
	return t.From.String()
}

func toText(t *overlay.Traffic) string {
	if t == nil {
		return notCounted
	}
	return t.To.String()
}

// trafficLines is a line for each part of a network's traffic that is counted.
func trafficLines(t overlay.NetworkTraffic) (lines []string) {
	for _, part := range []struct {
		who     string
		traffic *overlay.Traffic
	}{{"ports", t.Ports}, {"other nodes", t.Nodes}} {
		if part.traffic != nil && *part.traffic != (overlay.Traffic{}) {
			lines = append(lines, fmt.Sprintf("  %s: from %s, to %s", part.who,
				first(part.traffic.From.String(), "none"), first(part.traffic.To.String(), "none")))
		}
	}
	return lines
}
