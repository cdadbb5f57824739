package kernel

import (
	"context"
	"errors"

	"weft/dataplane"
	"weft/overlay"
)

// Preview lists what Apply would do now, one command a line, and does nothing.
func (p *Plane) Preview(ctx context.Context, want dataplane.State) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := newHand(p.Host)
	defer h.Close()
	var lines []string
	var errs []error
	add := func(name overlay.NetworkName, wanted Objects) {
		have, err := h.observe(name, DomainNS(p.NetnsDir, name), wanted)
		if err != nil {
			errs = append(errs, err)
			return
		}
		for _, op := range Diff(wanted, have) {
			lines = append(lines, op.String())
		}
	}
	for _, name := range sortedNames(want.Networks) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, _ := attachable(want.Networks[name])
		add(name, LowerNetwork(n, p.NetnsDir))
	}
	stale, err := p.present(h)
	errs = append(errs, err)
	for _, name := range stale {
		_, wanted := want.Networks[name]
		if _, held := want.Held[name]; !wanted && !held {
			add(name, NewObjects())
		}
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
