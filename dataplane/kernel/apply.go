package kernel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/overlay"
)

// Apply implements dataplane.Plane. A port that cannot be made is left out, and the
// error says so: everything else is as wanted. A port whose namespace has gone is
// left out too, which is no error but an EventPortGone.
func (p *Plane) Apply(ctx context.Context, want dataplane.State, since *dataplane.Delta) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.newHand()
	defer h.Close()
	from := p.reached
	p.reached = 0
	if since != nil && from != 0 && since.From == from && since.To == want.Generation {
		was := before(p.want, *since)
		p.changing.Lock()
		p.want.Update(*since)
		p.changing.Unlock()
		p.wanted.Store(p.wanted.Load().onHost(p.want))
		err := p.applyDelta(ctx, h, was, *since)
		if err == nil {
			p.reached = want.Generation
			return nil
		}
		p.Log.Info("comparing everything", "because", err)
	}
	p.want = want.Clone() // it was lent (dataplane.State)
	p.wanted.Store(p.wanted.Load().onHost(p.want))
	if err := p.applyAll(ctx, h, p.want); err != nil {
		return err
	}
	p.reached = want.Generation
	return nil
}

// applyAll compares everything on the host and changes what differs. What can be
// done is done, whatever fails beside it.
func (p *Plane) applyAll(ctx context.Context, h *hand, want dataplane.State) error {
	errs := []error{p.guard(h)}
	var again []overlay.NetworkName
	for _, name := range sortedNames(want.Networks) {
		err := p.applyNetwork(ctx, h, want.Networks[name])
		if isTaken(err) {
			again = append(again, name)
			continue
		}
		errs = append(errs, err)
	}
	stale, err := p.present(h)
	errs = append(errs, err)
	for _, name := range stale {
		if _, wanted := want.Networks[name]; !wanted && !p.isHeld(name) {
			errs = append(errs, p.remove(ctx, h, name))
		}
	}
	errs = append(errs, p.applyTunnels(ctx, h))
	for _, name := range again {
		errs = append(errs, p.makeRoom(h, name), p.applyNetwork(ctx, h, want.Networks[name]))
	}
	errs = append(errs, p.tidyPrograms(h), p.applyHost(ctx, h, want))
	return errors.Join(errs...)
}

// applyDelta changes what the delta says and reads nothing: the host is as the
// State before was.
func (p *Plane) applyDelta(ctx context.Context, h *hand, was dataplane.State, d dataplane.Delta) error {
	host := p.concernsHost(was, d)
	if host {
		if err := p.guard(h); err != nil {
			return err
		}
	}
	for _, name := range sortedNames(d.Networks) {
		nd := d.Networks[name]
		old, known := was.Networks[name]
		next, wanted := p.want.Networks[name]
		var err error
		switch {
		case !wanted && p.isHeld(name):
		case !wanted:
			err = errors.Join(p.remove(ctx, h, name), p.tidyPrograms(h))
		case !known || nd.Settings != nil || hasDirect(old) != hasDirect(next):
			err = p.applyNetwork(ctx, h, next)
			if old.Plane == overlay.PlaneEBPF { // its devices may be others now
				err = errors.Join(err, p.tidyPrograms(h))
			}
		default:
			err = p.applyChange(ctx, h, old, next, nd)
		}
		if err != nil {
			return err
		}
	}
	if !d.Tunnels.Empty() {
		if err := errors.Join(p.applyTunnels(ctx, h), p.tidyPrograms(h)); err != nil {
			return err
		}
	}
	if host {
		return p.applyHost(ctx, h, p.want)
	}
	return nil
}

func (p *Plane) isHeld(name overlay.NetworkName) bool {
	_, held := p.want.Held[name]
	return held
}

// applyNetwork compares everything of a network and changes what differs. It leaves
// out the ports that cannot be made, one after the other.
func (p *Plane) applyNetwork(ctx context.Context, h *hand, n dataplane.Network) error {
	if before := p.wanted.Load().networks[n.Name]; before != nil && before.net.Kind != n.Kind {
		// Another network under its name: nothing of it is of use.
		if err := p.remove(ctx, h, n.Name); err != nil {
			return err
		}
	}
	out := p.findGone(n, n.Ports)
	delete(p.failed, n.Name)
	var errs []error
	for {
		err := p.applyPorts(ctx, h, out.without(n))
		name, ok := portOf(n, err)
		if err == nil || !ok {
			p.out[n.Name] = out
			if err != nil {
				p.failed[n.Name] = struct{}{}
			}
			return errors.Join(append(errs, err)...)
		}
		errs = append(errs, &PortError{Network: n.Name, Port: name, Err: err})
		out[name] = struct{}{}
	}
}

func (p *Plane) applyPorts(ctx context.Context, h *hand, n dataplane.Network) error {
	c, err := p.attend(h, n)
	if err == nil && c.want.otherPlane(c.have, DomainNS(p.NetnsDir, n.Name)) {
		if err = p.migrate(ctx, h, n); err == nil {
			c, err = p.attend(h, n)
		}
	}
	if err != nil {
		return err
	}
	p.forwards(h, n)
	for ops := range c.ops() {
		if err := p.change(ctx, h, n.Name, ops); err != nil {
			return err
		}
	}
	return nil
}

// attend makes sure that it is noticed what happens to a network, and reads what there is
// of it.
func (p *Plane) attend(h *hand, n dataplane.Network) (comparison, error) {
	w := p.wantNetwork(n)
	p.expect(n.Name, w)
	if err := p.watch(h, n.Name, w.ns); err != nil {
		return comparison{}, err
	}
	if err := p.listenOnly(h, n.Name, n.Ports); err != nil {
		return comparison{}, err
	}
	return p.compare(h, w)
}

// applyChange changes what a delta says of one network.
func (p *Plane) applyChange(ctx context.Context, h *hand, old, next dataplane.Network, d dataplane.NetworkDelta) error {
	before := p.out[next.Name]
	out := p.findGone(next, d.Ports.Set)
	for name := range before {
		if _, again := d.Ports.Set[name]; !again {
			out[name] = struct{}{}
		}
	}
	old, next = before.without(old), out.without(next)
	if known := p.wanted.Load().networks[next.Name]; known != nil && onlyMany(d) {
		p.expect(next.Name, known.after(next))
	} else {
		p.expect(next.Name, p.wantNetwork(next))
	}
	if err := p.listen(h, next.Name, out.without(dataplane.Network{Ports: d.Ports.Set}).Ports); err != nil {
		return err
	}
	for part := range parts(d) {
		have, want := LowerChange(old, next, part, p.NetnsDir)
		p.forwardsChange(h, next, old, part)
		if err := p.change(ctx, h, next.Name, Diff(want, have)); err != nil {
			return err
		}
	}
	p.out[next.Name] = out
	for name := range d.Ports.Keys() {
		if old.Ports[name].Tunnel != nil && next.Plane == overlay.PlaneEBPF {
			return p.tidyPrograms(h) // its end may be another now
		}
	}
	return nil
}

// expect makes notifications be compared with another network, or none.
func (p *Plane) expect(name overlay.NetworkName, n *wantedNetwork) {
	p.wanted.Store(p.wanted.Load().with(name, n))
	var segments map[string]overlay.EndpointName
	if n != nil {
		segments = n.segments
	}
	p.stations.keep(name, segments)
	p.groups.keep(p.want.Node, name, n, func() *wantedNetwork { return p.wanted.Load().networks[name] })
}

// remove takes away all there is of a network.
func (p *Plane) remove(ctx context.Context, h *hand, name overlay.NetworkName) error {
	p.expect(name, nil)
	delete(p.out, name)
	delete(p.gone, name)
	delete(p.failed, name)
	have, err := h.observe(name, DomainNS(p.NetnsDir, name), NewObjects())
	if err != nil {
		return err
	}
	p.watches.stop(name)
	if err := p.listenOnly(h, name, nil); err != nil {
		return err
	}
	return p.change(ctx, h, name, Diff(NewObjects(), have))
}

// change does ops in order. One that fails ends the network's change: what
// follows stands on it.
func (p *Plane) change(ctx context.Context, h *hand, name overlay.NetworkName, ops []Op) error {
	for i, n := 0, 0; i < len(ops); i += n {
		op, err := ops[i], ctx.Err()
		if err == nil {
			n, err = h.do(ops[i:], DomainNS(p.NetnsDir, name))
		}
		if err != nil {
			return &OpError{Network: name, Op: op, Done: i, Total: len(ops), Err: inWords(h, op, err)}
		}
		if p.Log.Enabled(ctx, slog.LevelDebug) {
			for _, op := range ops[i : i+n] {
				p.Log.Debug("host changed", "network", name, "op", op.String())
			}
		}
		if made, ok := op.(addNamespace); ok {
			if err := p.watch(h, name, made.NS); err != nil {
				return err
			}
		}
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
			if name, _, _ := strings.Cut(tag, "/"); name != "" { // of no network are tunnels that stand alone
				names[overlay.NetworkName(name)] = struct{}{}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	carried, err := h.allCarried()
	for id := range carried {
		if name, ok := strings.CutPrefix(path.Base(string(id.NS)), domainPrefix); ok {
			names[overlay.NetworkName(name)] = struct{}{}
		}
	}
	return sortedNames(names), err
}
