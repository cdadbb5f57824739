package course

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"weft/bench"
	"weft/bench/probe"
	"weft/lab"
)

// way leads from one workload to another.
type way struct {
	name     string
	origin   bench.Origin
	from, to *lab.Namespace
	address  netip.Addr // of to
}

// measured is a way with a session on it.
type measured struct {
	way
	*probe.Session
	stop func() error
}

// open begins a session over the way, as soon as there is one.
func (w way) open(ctx context.Context, o Options) (*measured, error) {
	server, err := probe.Listen(probe.Place{Namespace: w.to.Path(), CPU: receivingCPU}, netip.AddrPortFrom(w.address, probe.DefaultPort))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.name, err)
	}
	serving, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(serving) }()
	m := &measured{way: w, stop: func() error { cancel(); return <-ended }}
	if m.Session, err = dial(ctx, probe.Place{Namespace: w.from.Path(), CPU: sendingCPU}, probe.Options{
		Server: server.Address(), Span: o.Span, Congestion: o.Congestion,
	}); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", w.name, err), m.stop())
	}
	return m, nil
}

// opening is how long a way may take until it carries something.
const opening = 20 * time.Second

// dial asks until somebody answers: a new way may need ARP, a handshake, or an agent
// that has not heard yet.
func dial(ctx context.Context, place probe.Place, o probe.Options) (*probe.Session, error) {
	deadline := time.NewTimer(opening)
	defer deadline.Stop()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		s, err := probe.Dial(ctx, place, o)
		if err == nil {
			return s, nil
		}
		select {
		case <-ticker.C:
		case <-deadline.C:
			return nil, fmt.Errorf("nothing gets through in %v: %w", opening, err)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close ends the session.
func (m *measured) Close() error { return errors.Join(m.Session.Close(), m.stop()) }

// openAll opens sessions over all ways, or none.
func openAll(ctx context.Context, o Options, ways []way) (all []*measured, err error) {
	for _, w := range ways {
		m, err := w.open(ctx, o)
		if err != nil {
			return nil, errors.Join(err, closeAll(all))
		}
		all = append(all, m)
	}
	return all, nil
}

func closeAll(all []*measured) error {
	var errs []error
	for _, m := range all {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}
