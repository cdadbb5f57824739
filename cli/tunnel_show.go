package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/overlay"
)

func newTunnelShow(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "show NAME",
		Short:             "Show a tunnel with what its node says of it",
		Example:           "  weft tunnel show neta\n  weft tunnel show green/site -o json",
		ValidArgsFunction: a.completeTunnel,
	}
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		keys, err := tunnelKeys(cmd, args)
		if err != nil {
			return err
		}
		server, r, err := a.resource(cmd.Context(), keys[0])
		if err != nil {
			return err
		}
		states, err := a.tunnelStates(cmd.Context(), server, []overlay.Resource{r})
		if err != nil {
			return err
		}
		return output.One(a.stdout, *format, states[0], append(tunnelDetails(), a.tunnelReportDetails()...))
	}
	return cmd
}

// tunnelDetails are a tunnel's properties.
func tunnelDetails() []output.Column[tunnelState] {
	type s = tunnelState
	of := func(cell func(overlay.TunnelSpec) string) func(s) string {
		return func(s s) string { return cell(s.Spec) }
	}
	type spec = overlay.TunnelSpec
	return []output.Column[s]{
		{Title: "Tunnel", Cell: func(s s) string { return nameOf(s.Key()) }},
		{Title: "Node", Cell: of(func(s spec) string { return string(s.Node) })},
		{Title: "Network", Cell: func(s s) string { return string(s.Network) }},
		{Title: "Device", Cell: of(func(s spec) string { return s.Device })},
		{Title: "Mode", Cell: of(func(s spec) string { return string(s.Mode) })},
		{Title: "Local", Cell: of(localText)},
		{Title: "Remote", Cell: remoteOf},
		{Title: "Underlay", Cell: of(func(s spec) string { return s.Underlay })},
		{Title: "VNI", Cell: of(vniOf)},
		{Title: "Port", Cell: of(func(s spec) string { return number(int(s.Port)) })},
		{Title: "Source ports", Cell: of(sourcePortsText)},
		{Title: "TTL", Cell: of(func(s spec) string { return s.TTL.String() })},
		{Title: "TOS", Cell: of(func(s spec) string { return s.TOS.String() })},
		{Title: "Keys", Cell: of(keysText)},
		{Title: "Options", Cell: of(optionsText)},
		{Title: "Ageing", Cell: of(func(s spec) string { return ageingText(s.AgeingSeconds) })},
		{Title: "FDB", Cell: of(fdbLines)},
		{Title: "Neighbors", Cell: of(neighborLines)},
		{Title: "MAC", Cell: of(func(s spec) string { return macText(s.MAC) })},
		{Title: "Addresses", Cell: of(func(s spec) string { return output.Join(s.Addresses) })},
		{Title: "Routes", Cell: of(routeLines)},
		{Title: "Keep-alive", Cell: of(keepAliveText)},
		{Title: "MTU", Cell: tunnelMTUText},
		{Title: "Plane", Cell: tunnelPlaneText},
	}
}

// tunnelReportDetails are what the node says of the tunnel.
func (a *app) tunnelReportDetails() []output.Column[tunnelState] {
	type s = tunnelState
	of := func(cell func(*overlay.TunnelReport) string) func(s) string {
		return func(s s) string {
			if s.Status == nil {
				return ""
			}
			return cell(s.Status)
		}
	}
	type r = *overlay.TunnelReport
	return []output.Column[s]{
		{Title: "State", Cell: func(s s) string { return a.tunnelStateText(s.Status) }},
		{Title: "Round trip", Cell: of(func(r r) string { return roundTripText(r.RoundTripMicroseconds) })},
		{Title: "Present", Cell: of(func(r r) string {
			if r.Wanted == 0 {
				return ""
			}
			return fmt.Sprintf("%d of %d", r.Present, r.Wanted)
		})},
		{Title: "Differs", Cell: of(func(r r) string { return strings.Join(r.Differs, "\n") })},
		{Title: "Notes", Cell: of(func(r r) string { return strings.Join(r.Notes, "\n") })},
		{Title: "Traffic", Cell: of(tunnelTrafficText)},
		{Title: "Dropped", Cell: of(func(r r) string { return r.Drops.String() })},
		{Title: "Created", Cell: func(s s) string { return timeText(s.Created) }},
		{Title: "UID", Wide: true, Cell: func(s s) string { return s.UID }},
		{Title: "Generation", Wide: true, Cell: func(s s) string { return fmt.Sprint(s.Generation) }},
		{Title: "Revision", Wide: true, Cell: func(s s) string { return fmt.Sprint(s.Revision) }},
	}
}

// tunnelStateText is "down for 3s: 10.1.1.2 does not answer".
func (a *app) tunnelStateText(r *overlay.TunnelReport) string {
	if r == nil {
		return "unknown: the node has not told of it"
	}
	text := string(r.State)
	if since := output.Since(a.now(), r.Since); since != "" {
		text += " for " + since
	}
	if r.Why != "" {
		text += ": " + r.Why
	}
	return text
}

func tunnelTrafficText(r *overlay.TunnelReport) string {
	if r.Traffic == nil {
		return ""
	}
	return fmt.Sprintf("from %s, to %s", first(r.Traffic.From.String(), "none"), first(r.Traffic.To.String(), "none"))
}

// tunnelMTUText is what the interface has, or else what it is to have.
func tunnelMTUText(s tunnelState) string {
	if s.Status != nil && s.Status.MTU != 0 {
		return number(s.Status.MTU)
	}
	return first(number(s.Spec.MTU), "auto")
}

// tunnelPlaneText is "kernel (auto: …)", or the plane that is asked for.
func tunnelPlaneText(s tunnelState) string {
	if s.Status == nil || s.Status.Plane == "" {
		return string(s.Spec.Plane)
	}
	return planeText(overlay.NetworkReport{Plane: s.Status.Plane, PlaneReason: s.Status.PlaneReason})
}

func ageingText(seconds int) string {
	if seconds == 0 {
		return ""
	}
	return output.Duration(time.Duration(seconds) * time.Second)
}
