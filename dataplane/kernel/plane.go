package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/overlay"
)

// Options say where a Plane works. Zero values mean the default in brackets.
type Options struct {
	// NetnsDir is the folder in which the networks' namespaces are mounted [/run/netns].
	NetnsDir string
	// StateDir keeps what must outlive the process and the machine: the host's
	// settings as they were before Weft. Required.
	StateDir string
	// Host is the path of the host's network namespace [this process's own].
	Host string
	// Log [none].
	Log *slog.Logger
}

func (o Options) complete() Options {
	o.NetnsDir = cmp.Or(o.NetnsDir, netns.Dir)
	o.Host = cmp.Or(o.Host, "/proc/self/ns/net")
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Plane is a dataplane.Plane.
type Plane struct {
	Options
	events chan dataplane.Event

	// mu is held while the host is read or changed.
	mu sync.Mutex
	// want is the State of the last Apply; the zero value before.
	want dataplane.State
	// reached is the generation that the host is known to be at; 0: unknown.
	reached uint64
}

var _ dataplane.Plane = (*Plane)(nil)

// New returns a Plane. It changes nothing on the host before the first Apply.
func New(o Options) (*Plane, error) {
	o = o.complete()
	if _, err := netns.ID(o.Host); err != nil {
		return nil, fmt.Errorf("open the host's network namespace: %w", err)
	}
	return &Plane{Options: o, events: make(chan dataplane.Event)}, nil
}

// Apply implements dataplane.Plane.
func (p *Plane) Apply(ctx context.Context, want dataplane.State, since *dataplane.Delta) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := newHand(p.Host)
	defer h.Close()
	was, from := p.want, p.reached
	p.reached = 0
	if since != nil && from != 0 && since.From == from && since.To == want.Generation {
		p.want = was.With(*since)
		err := p.applyDelta(ctx, h, was, *since)
		if err == nil {
			p.reached = want.Generation
			return nil
		}
		p.Log.Info("comparing everything", "because", err)
	}
	p.want = want.Clone() // it was lent
	if err := p.applyAll(ctx, h, p.want); err != nil {
		return err
	}
	p.reached = want.Generation
	return nil
}

// applyAll compares everything on the host and changes what differs. What can be
// done is done, whatever fails beside it.
func (p *Plane) applyAll(ctx context.Context, h *hand, want dataplane.State) error {
	var errs []error
	done := map[overlay.NetworkName]bool{}
	for _, name := range sortedNames(want.Networks) {
		errs = append(errs, p.applyNetwork(ctx, h, want.Networks[name]))
		done[name] = true
	}
	stale, err := p.present(h)
	errs = append(errs, err)
	for _, name := range stale {
		if _, held := want.Held[name]; !held && !done[name] {
			errs = append(errs, p.remove(ctx, h, name))
		}
	}
	return errors.Join(errs...)
}

// applyDelta changes what the delta says and reads nothing: the host is as the
// State before was.
func (p *Plane) applyDelta(ctx context.Context, h *hand, was dataplane.State, d dataplane.Delta) error {
	for _, name := range sortedNames(d.Networks) {
		nd := d.Networks[name]
		old, known := was.Networks[name]
		next, wanted := p.want.Networks[name]
		var err error
		switch {
		case !wanted && p.isHeld(name):
		case !wanted:
			err = p.remove(ctx, h, name)
		case !known || nd.Settings != nil:
			err = p.applyNetwork(ctx, h, next)
		default:
			have, want := LowerChange(old, next, nd, p.NetnsDir)
			err = p.change(ctx, h, name, Diff(want, have))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *Plane) isHeld(name overlay.NetworkName) bool {
	_, held := p.want.Held[name]
	return held
}

func sortedNames[V any](m map[overlay.NetworkName]V) []overlay.NetworkName {
	return slices.Sorted(maps.Keys(m))
}

// applyNetwork compares everything of a network and changes what differs.
func (p *Plane) applyNetwork(ctx context.Context, h *hand, n dataplane.Network) error {
	n, _ = attachable(n)
	ns := DomainNS(p.NetnsDir, n.Name)
	want := LowerNetwork(n, p.NetnsDir)
	have, err := h.observe(n.Name, ns, want)
	if err != nil {
		return err
	}
	return p.change(ctx, h, n.Name, Diff(want, have))
}

// remove takes away all there is of a network.
func (p *Plane) remove(ctx context.Context, h *hand, name overlay.NetworkName) error {
	have, err := h.observe(name, DomainNS(p.NetnsDir, name), NewObjects())
	if err != nil {
		return err
	}
	return p.change(ctx, h, name, Diff(NewObjects(), have))
}

// change does ops in order. One that fails ends the network's change: what
// follows stands on it.
func (p *Plane) change(ctx context.Context, h *hand, name overlay.NetworkName, ops []Op) error {
	for i, op := range ops {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("network %s: stopped after %d of %d changes: %w", name, i, len(ops), err)
		}
		if err := op.do(h); err != nil {
			return fmt.Errorf("network %s: %d of %d changes made, then: %s: %w", name, i, len(ops), op, err)
		}
		p.Log.Debug("host changed", "network", name, "op", op.String())
	}
	if err := h.settle(ctx, ops); err != nil {
		return fmt.Errorf("network %s: %w", name, err)
	}
	return nil
}

// present lists the networks of which there is something on the host.
func (p *Plane) present(h *hand) ([]overlay.NetworkName, error) {
	names := map[overlay.NetworkName]struct{}{}
	spaces, err := netns.List(p.NetnsDir)
	if err != nil {
		return nil, err
	}
	for _, s := range spaces {
		if name, ok := strings.CutPrefix(s, domainPrefix); ok {
			names[overlay.NetworkName(name)] = struct{}{}
		}
	}
	s, err := h.in(Host)
	if err != nil {
		return nil, err
	}
	err = s.links(func(l hostLink) {
		if tag, ok := strings.CutPrefix(l.link.Alias, aliasPrefix); ok {
			name, _, _ := strings.Cut(tag, "/")
			names[overlay.NetworkName(name)] = struct{}{}
		}
	})
	return sortedNames(names), err
}

// Observe implements dataplane.Plane.
func (p *Plane) Observe(ctx context.Context, name overlay.NetworkName) (dataplane.Observation, error) {
	return dataplane.Observation{}, nil
}

// Events implements dataplane.Plane.
func (p *Plane) Events() <-chan dataplane.Event { return p.events }

// Close implements dataplane.Plane.
func (p *Plane) Close() error {
	close(p.events)
	return nil
}
