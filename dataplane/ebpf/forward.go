package ebpf

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"

	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/overlay"
)

var _ kernel.Programs = (*Programs)(nil)

// Change implements kernel.Programs.
func (p *Programs) Change(old, next dataplane.Network, d dataplane.NetworkDelta, on kernel.ProgramLinks) error {
	if kernel.OfLinks(d) {
		if err := p.claim(next, on); err != nil {
			return err
		}
	}
	have, want := LowerChange(old, next, d, on, p.counters)
	if !d.Ports.Empty() {
		var err error
		if have.ports, have.allowed, err = p.readPorts(next.VNI); err != nil {
			return err
		}
	}
	if err := p.fill(next, want, have); err != nil {
		return err
	}
	if d.Ports.Empty() {
		return nil
	}
	return errors.Join(p.seed(next, on, have), p.attachAll(next, on))
}

// seed has the programs know the stations that this node has published behind segment ports
// which were not there before: those that only answer would never be heard otherwise. They
// age as any other.
func (p *Programs) seed(n dataplane.Network, on kernel.ProgramLinks, before Tables) error {
	now, err := sinceBoot()
	if err != nil {
		return err
	}
	for name, port := range n.Ports {
		dev, ok := on.Ports[name]
		if _, was := before.ports[dev.Index]; !ok || was {
			continue
		}
		for _, mac := range port.Stations {
			s := programsStation{Port: dev.Index, PortFlags: flagsOf(port, dev), Counter: p.counters[portOwner(dev.Index)], Flags: stationLearnt, Seen: uint64(now)}
			err := p.objects.Stations.Update(stationKey(n.VNI, mac), s, ebpf.UpdateNoExist)
			if err != nil && !errors.Is(err, ebpf.ErrKeyExist) {
				return fmt.Errorf("write map %s: %w", p.objects.Stations.String(), err)
			}
		}
	}
	return nil
}

// attachments are the programs that a network needs, by device.
func attachments(n dataplane.Network, on kernel.ProgramLinks) []attachment {
	all := []attachment{{on.Gateway, onGateway}}
	if on.Tunnel != 0 {
		all = append(all, attachment{on.Tunnel, onTunnel})
	}
	for _, i := range on.Underlay {
		all = append(all, attachment{i, onUnderlay})
	}
	for name := range n.Ports {
		if port, ok := on.Ports[name]; ok {
			all = append(all, attachment{port.Index, onPort})
		}
	}
	return all
}

// attachAll has a network's devices run the programs; those that run some may not change over
// before all others can (migrate.go).
func (p *Programs) attachAll(n dataplane.Network, on kernel.ProgramLinks) error {
	learning := map[uint32]overlay.EndpointName{}
	for name, port := range n.Ports {
		if link, ok := on.Ports[name]; ok && port.Kind == overlay.PortSegment {
			learning[link.Index] = name
		}
	}
	p.segments.keep(n.Name, learning)
	p.places.keep(n, on)
	return p.attachNew(attachments(n, on))
}

// attachNew has devices run programs, but for those that may not change over yet.
func (p *Programs) attachNew(all []attachment) error {
	var running map[attachment]ebpf.ProgramID
	if len(p.older) > 0 {
		var err error
		if running, err = p.attachedAnywhere(); err != nil {
			return err
		}
	}
	var errs []error
	for _, a := range all {
		if running[a] == 0 {
			errs = append(errs, p.attach(a))
		}
	}
	return errors.Join(errs...)
}

// Tidy implements kernel.Programs.
func (p *Programs) Tidy(there func(index uint32) bool) error {
	if err := p.succeed(); err != nil {
		return err
	}
	r, err := p.read()
	if err != nil {
		return err
	}
	all := r.tables
	var errs []error
	for vni, t := range all {
		switch {
		case isEnd(vni) && !there(indexOf(vni)):
			errs = append(errs, p.write(newTables(), t), p.forgetEnd(vni))
			delete(all, vni)
		case !isEnd(vni) && !there(t.networks[vni].Gateway):
			errs = append(errs, p.write(newTables(), t), p.forget(overlay.VNI(vni)))
			delete(all, vni)
		}
	}
	errs = append(errs, p.tidyTunnels(all))
	used, ends := map[uint32]bool{}, false
	for owner, t := range all {
		for index := range t.ports {
			used[index] = true
		}
		if isEnd(owner) {
			used[indexOf(owner)], ends = true, true
		}
	}
	errs = append(errs, p.detach(func(a attachment) bool {
		return there(a.index) && (used[a.index] || a.role == onUnderlay && len(all) > 0 || a.role == onPeer && ends)
	}))
	return errors.Join(errs...)
}

// tidyTunnels takes away the tunnel ports that no network has.
func (p *Programs) tidyTunnels(all map[uint32]Tables) error {
	used := map[programsTunnelKey]bool{}
	for vni, t := range all {
		for k := range t.arriving(vni) {
			used[k] = true
		}
	}
	return purge(p.objects.Tunnels, func(k programsTunnelKey, _ uint32) bool { return !used[k] })
}

// Untold implements kernel.Programs. Tunnel packets with a wrong checksum the kernel drops,
// and what comes unencapsulated, or by a tunnel of a routed network, the network's own host has,
// and refuses, before a program sees it. Packets of GRE with an unknown key, and of bare IP from
// a stranger, may be for a device of the host's, which gets them; fragments but for the first do
// not say what they are of.
func (p *Programs) Untold(n dataplane.Network) []overlay.DropReason {
	untold := []overlay.DropReason{overlay.DropMalformed, overlay.DropFragment}
	switch n.Encapsulation {
	case overlay.EncapGRE:
		untold = append(untold, overlay.DropUnknownVNI)
	case overlay.EncapIPIP, overlay.EncapSIT:
		untold = append(untold, overlay.DropNotMember)
	}
	other := n.Kind == overlay.Routed && slices.ContainsFunc(slices.Collect(maps.Values(n.Ports)), func(p dataplane.Port) bool { return p.Tunnel != nil })
	for _, r := range n.Routes {
		other = other || r.Direct
	}
	if other {
		return append(untold, overlay.DropNoRoute, overlay.DropTTL, overlay.DropTooBig)
	}
	return untold
}
