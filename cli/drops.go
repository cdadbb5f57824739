package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"weft/api/agentapi"
	"weft/cli/output"
	"weft/dataplane"
	"weft/overlay"
	"weft/trace"
)

func newDrops(a *app) *cobra.Command {
	var follow, layers bool
	cmd := &cobra.Command{
		Use:   "drops [NETWORK]",
		Short: "Show the packets that this host has dropped, and why",
		Long: `Show the packets of a network, or of all and of none, that programs on this host have
dropped last: when, why, where they came in and how they began. Of each reason so many a
second are shown as can be read (100 for each processor); HIDDEN says how many before it
were not. All are counted: see weft traffic and weft status. The kernel plane counts
what it drops, and does not show it.`,
		Example: `  weft drops
  weft drops blue --follow
  weft drops blue --layers
  weft drops --follow -o json | jq -r .reason`,
		ValidArgsFunction: a.completeLocalNetwork,
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with those that are dropped from now on; with -o json, an object a line")
	cmd.Flags().BoolVar(&layers, "layers", false, "show each packet's headers, a line each")
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		request := agentapi.DroppedRequest{}
		if len(args) > 0 {
			request.Network = overlay.NetworkName(args[0])
		}
		d, err := a.agent().Dropped(cmd.Context(), request)
		if err != nil {
			return err
		}
		if follow {
			return a.followDrops(cmd.Context(), *format, layers, request, d)
		}
		if layers && !format.Structured() {
			return a.printDrops(*format, true, d.Packets)
		}
		return output.List(a.stdout, *format, d.Packets, dropColumns())
	}
	return cmd
}

// followDrops prints what is there, and what comes, until ctx ends.
func (a *app) followDrops(ctx context.Context, f output.Format, layers bool, r agentapi.DroppedRequest, d dataplane.Dropped) error {
	for {
		if d.Forgotten > 0 {
			if err := a.warn("%d packets came too fast to be remembered", d.Forgotten); err != nil {
				return err
			}
		}
		if err := a.printDrops(f, layers, d.Packets); err != nil {
			return err
		}
		r.After = d.Last
		var err error
		if d, err = a.agent().Dropped(ctx, r); err != nil {
			if ctx.Err() != nil {
				return nil // whoever follows ends it so
			}
			return err
		}
	}
}

// printDrops prints packets one by one: a line each, with their layers, or as JSON.
func (a *app) printDrops(f output.Format, layers bool, packets []dataplane.DroppedPacket) error {
	for _, p := range packets {
		text := ""
		switch {
		case f.Structured():
			b, err := json.Marshal(p)
			if err != nil {
				return err
			}
			text = string(b) + "\n"
		case layers:
			text = dropLine(p) + "\n" + indented(trace.Text(decoded(p), p.Frame, trace.TextOptions{}))
		default:
			text = dropLine(p) + "  " + packetText(p) + "\n"
		}
		if _, err := fmt.Fprint(a.stdout, text); err != nil {
			return err
		}
	}
	return nil
}

func indented(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n    ") + "\n"
}

// dropLine is a packet in a line, but for what is in it.
func dropLine(p dataplane.DroppedPacket) string {
	cells := make([]string, 0, 6)
	for _, c := range dropColumns() {
		if c.Title != packetTitle {
			cells = append(cells, first(c.Cell(p), "-"))
		}
	}
	return strings.Join(cells, "  ")
}

const packetTitle = "Packet"

func dropColumns() []output.Column[dataplane.DroppedPacket] {
	type p = dataplane.DroppedPacket
	return []output.Column[p]{
		{Title: "Time", Cell: func(p p) string { return p.Time.UTC().Format("15:04:05.000") }},
		{Title: "Why", Cell: func(p p) string { return string(p.Reason) }},
		{Title: "Network", Cell: func(p p) string { return string(p.Network) }},
		{Title: "From", Cell: func(p p) string { return first(string(p.Port), p.Device) }},
		{Title: "Bytes", Cell: func(p p) string { return number(p.Length) }},
		{Title: "Hidden", Cell: func(p p) string { return number(p.Hidden) }},
		{Title: packetTitle, Cell: packetText},
	}
}

// decoded are the layers of as much of a packet as is known.
func decoded(p dataplane.DroppedPacket) []trace.Layer {
	return trace.Decode(p.Frame, overlay.DefaultVXLANPort)
}

// packetText is a packet's innermost addresses and what is above them: in a line, what most
// people look for.
func packetText(p dataplane.DroppedPacket) string {
	var words []string
	for _, l := range decoded(p) {
		switch l.Name {
		case trace.Data, trace.Padding, trace.IPv6Extensions:
			continue
		case trace.Ethernet:
			words = words[:0]
		case trace.IPv4, trace.IPv6:
			words = words[:0]
		}
		words = append(words, l.Name+" "+l.Summary)
	}
	return strings.Join(words, "; ")
}
