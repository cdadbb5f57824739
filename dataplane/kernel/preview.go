package kernel

import (
	"context"
	"errors"

	"weft/dataplane"
)

// Preview lists what Apply would do now, one command a line, and does nothing.
func (p *Plane) Preview(ctx context.Context, want dataplane.State) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.newHand()
	defer h.Close()
	var lines []string
	var errs []error
	add := func(n dataplane.Network, wanted Objects) {
		have, err := p.observe(h, n, wanted)
		if err != nil {
			errs = append(errs, err)
			return
		}
		var ops []Op
		if ns := DomainNS(p.NetnsDir, n.Name); wanted.otherPlane(have, ns) {
			ops, have = have.moving(n, ns)
		}
		for _, op := range append(ops, Diff(wanted, have)...) {
			lines = append(lines, op.String())
		}
	}
	for _, name := range sortedNames(want.Networks) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, _ := attachable(want.Networks[name])
		add(n, LowerNetwork(n, p.NetnsDir))
	}
	stale, err := p.present(h)
	errs = append(errs, err)
	for _, name := range stale {
		_, wanted := want.Networks[name]
		if _, held := want.Held[name]; !wanted && !held {
			gone := dataplane.Network{}
			gone.Name = name
			add(gone, NewObjects())
		}
	}
	tunnels := LowerTunnels(want.Tunnels)
	there, err := p.observeTunnels(h, tunnels, nil)
	errs = append(errs, err)
	for _, op := range Diff(tunnels, there) {
		lines = append(lines, op.String())
	}
	host, err := p.hostWant(h, want)
	errs = append(errs, err)
	ops, err := p.hostOps(h, host)
	errs = append(errs, err)
	for _, op := range ops {
		lines = append(lines, op.String())
	}
	return lines, errors.Join(errs...)
}
