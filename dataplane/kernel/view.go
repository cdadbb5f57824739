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
	p.mu.Lock()
	defer p.mu.Unlock()
	h := newHand(p.Host)
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
			v, err = p.view(h, p.want.Networks[n])
			return err
		}); err != nil {
			errs = append(errs, err)
			continue
		}
		seen.Networks[n] = v
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
	return seen, errors.Join(errs...)
}

// viewer collects what the host has of one network, as people see it.
type viewer struct {
	net        dataplane.Network
	want, have Objects
	hand       *hand
	// nodes are the members by VTEP.
	nodes map[string]overlay.NodeName
	dataplane.NetworkView
}

func (p *Plane) view(h *hand, net dataplane.Network) (dataplane.NetworkView, error) {
	there, away := attachable(net)
	ns := DomainNS(p.NetnsDir, net.Name)
	v := &viewer{net: net, hand: h, want: LowerNetwork(there, p.NetnsDir), nodes: map[string]overlay.NodeName{}}
	for node, m := range net.Members {
		v.nodes[m.VTEP.String()] = node
	}
	var err error
	if v.have, err = p.observe(h, there, v.want); err != nil {
		return v.NetworkView, err
	}
	v.Wanted, v.Present = v.want.Len()+len(away), v.want.matching(v.have)
	if _, failed := p.failed[net.Name]; !failed {
		possible := v.want
		if refused := p.refused(net.Name); len(refused) > 0 {
			possible = LowerNetwork(refused.without(there), p.NetnsDir)
		}
		for _, op := range Diff(possible, v.have) {
			v.Differs = append(v.Differs, "not as wanted; repaired by: "+op.String())
		}
	}
	v.Differs = append(v.Differs, away...)
	if _, ok := v.have.Namespaces[ns]; !ok {
		return v.NetworkView, nil
	}
	if err := v.read(ns); err != nil {
		return v.NetworkView, err
	}
	programs := p.Programs
	if there.Plane != overlay.PlaneEBPF {
		programs = nil
	}
	if programs != nil {
		err = v.programs(programs, there)
	} else {
		err = v.drops(ns)
	}
	if err != nil {
		return v.NetworkView, err
	}
	t, err := h.counted(there, ns, programs)
	t.sum(&v.NetworkView)
	t.parts(&v.NetworkView)
	v.sort()
	return v.NetworkView, err
}

// drops adds what the filters have counted.
func (v *viewer) drops(ns NS) error {
	domain, err := v.hand.counts(ns)
	if err != nil {
		return err
	}
	host, err := v.hand.counts(Host)
	if err != nil {
		return err
	}
	v.Drops = domain.Domain()
	if n, ok := host.Strangers(v.net.Name); ok {
		v.Drops[overlay.DropNotMember] = n
	}
	for _, why := range overlay.DropReasons() {
		if !slices.Contains(nft.Reasons(), why) {
			v.Untold = append(v.Untold, why)
		}
	}
	return nil
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
		same(o.Programs, have.Programs) + same(o.Neighbors, have.Neighbors) + same(o.Routes, have.Routes) + same(o.Redirects, have.Redirects)
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
	n := 0
	for k, v := range want {
		if w, ok := have[k]; ok && v == w {
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
