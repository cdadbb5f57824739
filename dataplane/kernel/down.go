package kernel

import (
	"context"
	"errors"

	"weft/overlay"
)

// Down removes all that Weft made on this host and returns what that was, a
// line each. It needs no memory of how it came about: everything is found by
// its tag. What is gone already is not missed, so it may be repeated.
func Down(ctx context.Context, o Options) (removed []string, err error) {
	p := &Plane{Options: o.complete()}
	h := newHand(p.Host)
	defer h.Close()
	names, err := p.present(h)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, name := range names {
		if err := p.remove(ctx, h, overlay.NetworkName(name)); err != nil {
			errs = append(errs, err)
			continue
		}
		removed = append(removed, "network "+string(name))
	}
	return removed, errors.Join(errs...)
}
