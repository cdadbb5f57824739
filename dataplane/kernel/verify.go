package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/overlay"
)

// watch makes sure that what happens in a network's namespace, if there is one, is
// noticed. A namespace whose name was taken away while the watch kept it alive
// gets its name back: nothing in it was lost.
func (p *Plane) watch(h *hand, name overlay.NetworkName, ns NS) error {
	id, err := netns.ID(string(ns))
	w := p.watches.domains[name]
	switch {
	case err == nil && w != nil && w.id == id:
		return nil
	case err == nil:
		p.watches.stop(name)
		if w, err = openWatch(name, ns, string(ns), domainGroups); err != nil {
			return fmt.Errorf("watch network %s: %w", name, err)
		}
		p.watches.domains[name] = w
		p.run(w)
		return p.watchNames()
	case w != nil && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, netns.ErrNotNamespace)):
		p.Log.Info("giving a namespace its name back", "namespace", ns)
		return w.rename(string(ns))
	}
	return nil
}

// watchNames makes sure that it is noticed when a namespace loses its name.
func (p *Plane) watchNames() (err error) {
	if p.watches.names != nil {
		return nil
	}
	if p.watches.names, err = openNames(p.NetnsDir); err != nil {
		return err
	}
	p.watches.running.Go(func() {
		p.watches.names.run(func(n overlay.NetworkName) { p.suspicions.raise(n, lost{aboutNamespace{}}) })
	})
	return nil
}

// verify looks whether a network under suspicion is as wanted, and announces it if it
// is not. What the last Apply could not make is no news: whoever called it has the
// error, and tries again when he thinks fit.
func (p *Plane) verify(ctx context.Context, name overlay.NetworkName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if name == ofHost {
		p.verifyHost(ctx)
		return
	}
	n, ok := p.want.Networks[name]
	if !ok || ctx.Err() != nil {
		return
	}
	refused := p.refused(name)
	left := refused.without(p.findGone(n, n.Ports).without(n))
	if _, failed := p.failed[name]; failed {
		return
	}
	h := p.newHand()
	defer h.Close()
	if err := p.listen(h, name, left.Ports); err != nil {
		p.Log.Error("a workload's namespace cannot be listened to", "err", err)
	}
	c, err := p.compare(h, p.wantNetwork(left))
	if err != nil {
		p.Log.Error("a change on the host could not be looked into", "err", err)
		return
	}
	what, differs := describe(c.ops())
	if !differs {
		return
	}
	if len(p.findGone(n, left.Ports)) > 0 { // while it was looked at
		p.suspicions.raise(name, lost{aboutNamespace{}})
		return
	}
	for e, port := range left.Ports {
		if !has(c.have.Links, nearEnd(n, DomainNS(p.NetnsDir, name), port)) {
			p.outbox.put(dataplane.Event{Kind: dataplane.EventPortGone, Network: name, Port: e})
		}
	}
	p.outbox.put(dataplane.Event{Kind: dataplane.EventChanged, Network: name, What: what})
}

// verifyHost is verify for what belongs to no single network.
func (p *Plane) verifyHost(ctx context.Context) {
	if ctx.Err() != nil || p.want.Generation == 0 && len(p.want.Networks) == 0 && len(p.want.Tunnels) == 0 {
		return // nothing was applied yet
	}
	h := p.newHand()
	defer h.Close()
	want, err := p.hostWant(h, p.want)
	if err == nil {
		var ops []Op
		if ops, err = p.hostOps(h, want); len(ops) > 0 {
			what, _ := describe(slices.Values([][]Op{ops}))
			p.outbox.put(dataplane.Event{Kind: dataplane.EventChanged, What: what})
		}
	}
	if err == nil {
		err = p.verifyTunnels(h)
	}
	if err != nil {
		p.Log.Error("a change on the host could not be looked into", "err", err)
	}
}

// describe says what a change on the host was, by what would undo it; false if there was none.
func describe(parts iter.Seq[[]Op]) (what string, differs bool) {
	l := commands(parts, 3)
	return "to be repaired: " + strings.Join(l, "; "), len(l) > 0
}

// commands are the first ops, and then how many there are more.
func commands(parts iter.Seq[[]Op], most int) (lines []string) {
	more := 0
	for ops := range parts {
		for _, op := range ops[:min(most-len(lines), len(ops))] {
			lines = append(lines, op.String())
			ops = ops[1:]
		}
		more += len(ops)
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return lines
}
