package kernel

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"weft/dataplane"
	"weft/dataplane/nft"
	"weft/overlay"
)

// Observe implements dataplane.Plane. Networks that the last Apply did not want are not in it.
func (p *Plane) Observe(ctx context.Context, name overlay.NetworkName) (dataplane.Observation, error) {
	return p.look(ctx, name, true)
}

// Compare implements dataplane.Plane.
func (p *Plane) Compare(ctx context.Context) (dataplane.Observation, error) {
	return p.look(ctx, "", false)
}

// look is Observe, or Compare if entries are not wanted.
func (p *Plane) look(ctx context.Context, name overlay.NetworkName, entries bool) (dataplane.Observation, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.newHand()
	defer h.Close()
	seen := dataplane.Observation{Networks: map[overlay.NetworkName]dataplane.NetworkView{}}
	var errs []error
	for _, n := range sortedNames(p.want.Networks) {
		if name != "" && n != name {
			continue
		}
		if err := ctx.Err(); err != nil {
			return seen, err
		}
		var v dataplane.NetworkView
		if err := untilStill(func() (err error) {
			v, err = p.view(h, p.want.Networks[n], entries)
			return err
		}); err != nil {
			errs = append(errs, err)
			continue
		}
		seen.Networks[n] = v
	}
	if name == "" {
		var err error
		seen.Tunnels, err = p.viewTunnels(h, entries)
		errs = append(errs, err)
	}
	counts, err := h.counts(Host)
	errs = append(errs, err)
	seen.Drops = counts.Host()
	if p.Programs != nil {
		strangers, err := p.Programs.Drops(0)
		errs = append(errs, err)
		for why, n := range strangers {
			seen.Drops[why] += n
		}
	}
	if p.Carrier != nil {
		counts, err := p.Carrier.Counts()
		errs = append(errs, err)
		for why, n := range counts.Drops {
			seen.Drops[why] += n.Packets
		}
	}
	return seen, errors.Join(errs...)
}

// viewer collects what the host has of one network, as people see it.
type viewer struct {
	comparison
	net  *wantedNetwork
	hand *hand
	// nodes are the members by VTEP.
	nodes map[string]overlay.NodeName
	dataplane.NetworkView
}

func (p *Plane) view(h *hand, net dataplane.Network, entries bool) (v dataplane.NetworkView, err error) {
	there, away := attachable(net)
	w := p.wantNetwork(there)
	c, err := p.compare(h, w)
	if err != nil {
		return v, err
	}
	v.Wanted, v.Present = c.count()
	v.Wanted += len(away)
	misled, err := h.misled(net)
	if err != nil {
		return v, err
	}
	v.Differs = slices.Concat(p.differs(c, there), away, p.groups.problems(net.Name), misled)
	if !has(c.have.Namespaces, w.ns) {
		return v, nil
	}
	programs := p.Programs
	if there.Plane != overlay.PlaneEBPF {
		programs = nil
	}
	if v.Drops, v.Untold, err = h.drops(w, programs); err != nil {
		return v, err
	}
	t, err := h.counted(there, w.ns, programs)
	if err == nil && there.Plane == overlay.PlaneUser {
		t.carried, err = p.carriedCount(there)
		v.Drops, v.Untold = t.carried.drops(v.Drops)
	}
	if err == nil {
		v.Drops, err = p.withCarriedTunnels(there, w.ns, v.Drops)
	}
	if err != nil {
		return v, err
	}
	t.tunnels(&v)
	if t.sum(&v); !entries {
		return v, nil
	}
	r := &viewer{comparison: c, net: w, hand: h, nodes: map[string]overlay.NodeName{}, NetworkView: v}
	for node, m := range net.Members {
		r.nodes[m.VTEP.String()] = node
	}
	if err = r.read(w.ns); err == nil && programs != nil {
		err = r.programs(programs, there)
	}
	t.parts(&r.NetworkView)
	r.sort()
	return r.NetworkView, err
}

// differsMost is how many differences of a network are listed: of one with very many
// entries none may be there, and the list is reported.
const differsMost = 100

// differs lists what is not as wanted, but for what the last Apply could not make.
func (p *Plane) differs(c comparison, n dataplane.Network) (lines []string) {
	if has(p.failed, n.Name) {
		return nil
	}
	if refused := p.refused(n.Name); len(refused) > 0 {
		c.want = p.wantNetwork(refused.without(n)).frame
	}
	for _, line := range commands(c.ops(), differsMost) {
		lines = append(lines, "not as wanted; repaired by: "+line)
	}
	return lines
}

// drops is what a network's filters have counted, or its programs if it has any, and what
// these cannot tell.
func (h *hand) drops(w *wantedNetwork, programs Programs) (drops overlay.Drops, untold []overlay.DropReason, err error) {
	if programs != nil {
		drops, err = h.programDrops(w, programs)
		return drops, programs.Untold(w.net), err
	}
	domain, err := h.counts(w.ns)
	if err != nil {
		return nil, nil, err
	}
	host, err := h.counts(Host)
	if err != nil {
		return nil, nil, err
	}
	drops = domain.Domain()
	if n, ok := host.Strangers(w.net.Name); ok {
		drops[overlay.DropNotMember] = n
	}
	for _, why := range overlay.DropReasons() {
		if !slices.Contains(nft.Reasons(), why) || hasMemberLinks(w.net) && (why == overlay.DropNotMember || why == overlay.DropUnknownVNI) {
			untold = append(untold, why)
		}
	}
	return drops, untold, nil
}

// programDrops is what a network's programs have counted, and the filters of the tunnels that
// its domain has.
func (h *hand) programDrops(w *wantedNetwork, programs Programs) (overlay.Drops, error) {
	drops, err := programs.Drops(w.net.VNI)
	if err != nil || len(w.frame.Filters[w.ns]) == 0 {
		return drops, err
	}
	domain, err := h.counts(w.ns)
	for why, n := range domain.Domain() {
		drops[why] += n
	}
	return drops, err
}

// read takes in everything in the domain, and the network's links elsewhere.
func (v *viewer) read(ns NS) error {
	s, err := v.hand.in(ns)
	if err != nil {
		return err
	}
	t, err := readLinks(s)
	if err != nil {
		return err
	}
	for _, step := range []func(*space, linkTable) error{v.links, v.fdb, v.neighbors, v.routes} {
		if err := step(s, t); err != nil {
			return fmt.Errorf("look into %s: %w", path.Base(string(ns)), err)
		}
	}
	return nil
}

// matching counts the objects of o that have has just so. A link that is lent is its
// user's: wherever it is, and however set, it is as wanted while its other end is there.
func (o Objects) matching(have Objects) int {
	n := 0
	for ns, r := range o.Filters {
		n += r.Matching(have.Filters[ns])
	}
	return n + same(o.Namespaces, have.Namespaces) + sameLinks(o.Links, have.Links) + same(o.Sysctls, have.Sysctls) +
		same(o.Addresses, have.Addresses) + same(o.Tunnels, have.Tunnels) + same(o.Stations, have.Stations) +
		same(o.Programs, have.Programs) + same(o.Forwarded, have.Forwarded) + same(o.Unaided, have.Unaided) + same(o.Neighbors, have.Neighbors) + same(o.Routes, have.Routes) + same(o.Redirects, have.Redirects) + same(o.Answers, have.Answers) +
		sameBy(o.Carried, have.Carried, Carried.Equal)
}

func sameLinks(want, have map[LinkID]Link) int {
	n := same(want, have)
	for id, l := range want {
		_, otherEnd := have[l.Peer]
		if l.Lent && otherEnd && have[id] != l {
			n++
		}
	}
	return n
}

func same[K, V comparable](want, have map[K]V) int {
	return sameBy(want, have, func(v, w V) bool { return v == w })
}

func sameBy[K comparable, V any](want, have map[K]V, equal func(v, w V) bool) int {
	n := 0
	for k, v := range want {
		if w, ok := have[k]; ok && equal(v, w) {
			n++
		}
	}
	return n
}

// endpointOf is the endpoint whose port has the alias; empty for other links.
func endpointOf(alias string) overlay.EndpointName {
	_, name, _ := strings.Cut(strings.TrimPrefix(alias, aliasPrefix), "/")
	return overlay.EndpointName(name)
}

// label is how a namespace is called in a view.
func (ns NS) label() string {
	if ns == Host {
		return "host"
	}
	return path.Base(string(ns))
}
