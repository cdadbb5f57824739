package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"weft/dataplane"
	"weft/overlay"
)

// tunnelSet are tunnels that stand alone, and why they are among these.
type tunnelSet map[overlay.TunnelName]error

// without are those of all that are not in the set.
func (s tunnelSet) without(all map[overlay.TunnelName]dataplane.Tunnel) map[overlay.TunnelName]dataplane.Tunnel {
	if len(s) == 0 {
		return all
	}
	left := maps.Clone(all)
	maps.DeleteFunc(left, func(name overlay.TunnelName, _ dataplane.Tunnel) bool { _, out := s[name]; return out })
	return left
}

// TunnelError says that a tunnel could not be made; all others are as wanted.
type TunnelError struct {
	Tunnel overlay.TunnelName
	Err    error
}

func (e *TunnelError) Error() string { return fmt.Sprintf("tunnel %s: %v", e.Tunnel, e.Err) }

// Unwrap returns the cause.
func (e *TunnelError) Unwrap() error { return e.Err }

// Concerns implements [dataplane.Failure].
func (e *TunnelError) Concerns() (overlay.NetworkName, overlay.EndpointName) { return "", "" }

// ConcernsTunnel implements [dataplane.TunnelFailure].
func (e *TunnelError) ConcernsTunnel() overlay.TunnelName { return e.Tunnel }

// applyTunnels makes the tunnels that stand alone match: all at once, so that a route that
// goes from one to another is changed in place. One that cannot be made is left out, and
// nothing is left of what was made of it.
func (p *Plane) applyTunnels(ctx context.Context, h *hand) error {
	all := p.want.Tunnels
	out := tunnelSet{}
	errs := []error{p.listenToNeighbors(all)}
	for {
		err := p.changeTunnels(ctx, h, LowerTunnels(out.without(all)), out)
		name, ok := tunnelOf(all, err)
		if _, again := out[name]; err == nil || !ok || again {
			p.tunnelsOut = out
			return errors.Join(append(errs, err)...)
		}
		out[name] = &TunnelError{name, err}
		errs = append(errs, out[name])
	}
}

// listenToNeighbors has it noticed what happens to FDB entries and neighbours on the host, of
// which there are many that are none of Weft's, as long as a tunnel has any.
func (p *Plane) listenToNeighbors(all map[overlay.TunnelName]dataplane.Tunnel) error {
	ethernet := slices.ContainsFunc(slices.Collect(maps.Values(all)), func(t dataplane.Tunnel) bool { return t.Spec.Mode.Ethernet() })
	if err := p.watches.host.conn.join(unix.RTNLGRP_NEIGH, ethernet); err != nil {
		return fmt.Errorf("listen to the host's neighbours: %w", err)
	}
	return nil
}

// changeTunnels does what has to be done for the tunnels that are not out.
func (p *Plane) changeTunnels(ctx context.Context, h *hand, want Objects, out tunnelSet) error {
	have, err := p.observeTunnels(h, want, out)
	if err != nil {
		return err
	}
	h.forwardTunnel = p.forwardTunnel(p.standAlone())
	ops := Diff(want, have)
	for i, op := range ops {
		if err = ctx.Err(); err == nil {
			err = op.do(h)
		}
		if err != nil {
			return errors.Join(&OpError{Op: op, Done: i, Total: len(ops), Err: inWords(h, op, err)}, undo(h, p.want.Tunnels, ops[:i], op))
		}
		p.Log.Debug("host changed", "op", op.String())
	}
	if err := h.settle(ctx, ops); err != nil {
		return fmt.Errorf("tunnels: %w", err)
	}
	return p.remember(h, want)
}

// undo takes away what was made just before of the tunnel that an op has failed for.
func undo(h *hand, all map[overlay.TunnelName]dataplane.Tunnel, done []Op, failed Op) error {
	name, ok := tunnelChanged(all, failed)
	if !ok {
		return nil
	}
	var errs []error
	for _, op := range done {
		if made, ok := op.(addLink); ok && isOf(all[name], made.ID) {
			errs = append(errs, deleteLink{made.ID}.do(h))
		}
	}
	return errors.Join(errs...)
}

// tunnelOf is the tunnel that a failed change was for.
func tunnelOf(all map[overlay.TunnelName]dataplane.Tunnel, err error) (overlay.TunnelName, bool) {
	var failed *OpError
	if !errors.As(err, &failed) {
		return "", false
	}
	return tunnelChanged(all, failed.Op)
}

// tunnelChanged is the tunnel that an op changes.
func tunnelChanged(all map[overlay.TunnelName]dataplane.Tunnel, op Op) (overlay.TunnelName, bool) {
	for _, id := range linksOf(op) {
		for name, t := range all {
			if isOf(t, id) {
				return name, true
			}
		}
	}
	return "", false
}

// isOf reports whether a link is one of a tunnel's.
func isOf(t dataplane.Tunnel, id LinkID) bool {
	device := t.Spec.Device
	return id == LinkID{Host, device} || id == tunnelEnd(device) || id == tunnelIdle(device)
}

// tunnelTag is the tunnel that a link's alias names; false if it names none.
func tunnelTag(alias string) (overlay.TunnelName, bool) {
	name, ok := strings.CutPrefix(alias, tunnelAlias(""))
	return overlay.TunnelName(name), ok
}

// verifyTunnels announces it if something of the tunnels is not as wanted.
func (p *Plane) verifyTunnels(h *hand) error {
	want := LowerTunnels(p.tunnelsOut.without(p.want.Tunnels))
	have, err := p.observeTunnels(h, want, p.tunnelsOut)
	if err != nil {
		return err
	}
	if ops := Diff(want, have); len(ops) > 0 {
		what, _ := describe(slices.Values([][]Op{ops}))
		p.outbox.put(dataplane.Event{Kind: dataplane.EventChanged, What: what})
	}
	return nil
}

// removeTunnels takes away all tunnels that stand alone, and returns what that was.
func (p *Plane) removeTunnels(h *hand) (removed []string, err error) {
	have, err := p.observeTunnels(h, NewObjects(), nil)
	if err != nil {
		return nil, err
	}
	names := map[overlay.TunnelName]struct{}{}
	for _, l := range have.Links {
		if name, ok := tunnelTag(l.Alias); ok {
			names[name] = struct{}{}
		}
	}
	for _, op := range Diff(NewObjects(), have) {
		if err := op.do(h); err != nil {
			return nil, fmt.Errorf("%s: %w", op, err)
		}
	}
	for _, name := range dataplane.SortedKeys(names, cmp.Compare[overlay.TunnelName]) {
		removed = append(removed, "tunnel "+string(name))
	}
	return removed, nil
}
