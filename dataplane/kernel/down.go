package kernel

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Down removes all that Weft made on this host and returns what that was, a
// line each. It needs no memory of how it came about: everything is found by
// its tag. What is gone already is not missed, so it may be repeated.
func Down(ctx context.Context, o Options) (removed []string, err error) {
	p := &Plane{Options: o.complete()}
	h := p.newHand()
	defer h.Close()
	names, err := p.present(h)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, name := range names {
		have, err := h.observe(name, DomainNS(p.NetnsDir, name), NewObjects())
		if err == nil {
			err = p.change(ctx, h, name, Diff(NewObjects(), have))
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		removed = append(removed, "network "+string(name))
	}
	gone, err := p.removeTunnels(h)
	removed, errs = append(removed, gone...), append(errs, err)
	ops, err := p.hostOps(h, NewObjects())
	errs = append(errs, err)
	for _, op := range ops {
		if err := op.do(h); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", op, err))
			continue
		}
		removed = append(removed, strings.TrimPrefix(op.String(), "ip "))
	}
	settings, err := p.journal().restore(func(string) bool { return false })
	for _, name := range settings {
		removed = append(removed, "setting "+strings.ReplaceAll(name, "/", "."))
	}
	return removed, errors.Join(append(errs, err)...)
}
