package ebpf

import (
	"errors"

	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/overlay"
)

// tunnelAttachments are the programs that a tunnel needs, by device. What is for nobody is
// told by from_underlay.
func tunnelAttachments(on kernel.TunnelLinks) []attachment {
	all := []attachment{{on.End, onEnd}}
	if on.Idle != 0 {
		all = append(all, attachment{on.Idle, onTunnel})
	}
	for _, i := range on.Underlay {
		all = append(all, attachment{i, onUnderlay}, attachment{i, onPeer})
	}
	return all
}

// TunnelDiffers implements kernel.ProgramPass.
func (s *pass) TunnelDiffers(t dataplane.Tunnel, on kernel.TunnelLinks) (lines []string, err error) {
	if err := s.fresh(); err != nil {
		return nil, err
	}
	lines = s.idle(tunnelAttachments(on), s.attached)
	return append(lines, differing(LowerTunnel(t, on, s.counters), s.of(endOwner(on.End)))...), nil
}

// ForwardTunnel implements kernel.ProgramPass.
func (s *pass) ForwardTunnel(t dataplane.Tunnel, on kernel.TunnelLinks) error {
	if err := s.fresh(); err != nil {
		return err
	}
	end := endOwner(on.End)
	if err := s.claimFor([]owner{portOwner(on.End)}); err != nil {
		return err
	}
	if on.Network == 0 {
		s.places.keepTunnel(end, t.Spec.Device)
	}
	want := LowerTunnel(t, on, s.counters)
	err := s.write(want, s.of(end))
	if err == nil {
		err = s.attachNew(tunnelAttachments(on))
	}
	if err != nil {
		s.tables = nil // who knows what has found room
		return err
	}
	s.takeOver(end, want)
	if len(s.older) > 0 {
		return nil // they run what they ran
	}
	s.runNow(tunnelAttachments(on))
	return nil
}

// takeOver remembers what has been written for an end. What arrives for it does not for another end any
// more, that may have had it until now: of two tunnels that exchange their keys, the second must
// not take away what the first has just got.
func (s *pass) takeOver(end uint32, want Tables) {
	for k := range want.arrivals {
		for other, t := range s.tables {
			if other != end {
				delete(t.arrivals, k)
			}
		}
	}
	s.tables[end] = want
}

// forgetEnd takes away what the programs have counted, and numbered, for an end that is gone.
func (p *Programs) forgetEnd(owner uint32) error {
	p.places.removeTunnel(owner)
	return errors.Join(
		purge(p.objects.Drops, func(k programsDropKey, _ []programsTally) bool { return k.Vni == owner }),
		purge(p.objects.Sequences, func(index uint32, _ programsSequence) bool { return index == indexOf(owner) }),
	)
}

// TunnelTraffic implements kernel.Programs.
func (p *Programs) TunnelTraffic(on kernel.TunnelLinks) (sum overlay.Traffic, drops map[overlay.DropReason]overlay.Count, err error) {
	var errs []error
	if counter, ok := p.counters[portOwner(on.End)]; ok {
		sum, err = p.counted(counter)
		errs = append(errs, err)
	}
	drops, err = p.droppedOf(endOwner(on.End))
	return sum, drops, errors.Join(append(errs, err)...)
}
