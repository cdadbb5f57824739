package kernel

import (
	"errors"
	"io/fs"

	"weft/overlay"
)

// Diversion has what passes the interface of a workload go by its port's stand-in, from one
// moment to the next: no packet is lost. It outlives this process.
type Diversion struct {
	Network overlay.NetworkName
	Port    overlay.EndpointName
	// Namespace is the path of the workload's.
	Namespace string
	// Interface and StandIn are interface indexes there.
	Interface, StandIn uint32
	// In: what comes in at the stand-in is taken as if it had come in at the interface.
	// Otherwise: what the interface sends leaves by the stand-in.
	In bool
}

// ErrNoDiversions: the kernel has not what diversions need. Ports move all the same, and their
// traffic is interrupted meanwhile.
var ErrNoDiversions = errors.New("needs tcx, Linux 6.6")

// Diverter makes diversions.
type Diverter interface {
	// Divert makes one, unless it is there.
	Divert(Diversion) error
	// Undivert ends those of a network, of those that are In or of the others.
	Undivert(network overlay.NetworkName, in bool) error
}

// divert diverts what passes the interfaces of all workloads.
func (m migration) divert(in bool) error {
	if m.Diverter == nil {
		return nil
	}
	for name, p := range m.net.Ports {
		if !standsIn(p) {
			continue
		}
		ns := NS(p.Attach.Target)
		_, near, err := m.h.at(LinkID{ns, interfaceOf(p)})
		if errors.Is(err, fs.ErrNotExist) {
			continue // it is made at the end
		}
		if err != nil {
			return err
		}
		_, standIn, err := m.h.at(LinkID{ns, standInName(p)})
		if err != nil {
			return err
		}
		err = m.Diverter.Divert(Diversion{
			Network: m.net.Name, Port: name, Namespace: p.Attach.Target,
			Interface: uint32(near), StandIn: uint32(standIn), In: in,
		})
		if errors.Is(err, ErrNoDiversions) {
			m.Log.Info("traffic is interrupted while ports move", "network", m.net.Name, "because", err)
			return nil
		}
		if err != nil {
			return &PortError{Network: m.net.Name, Port: name, Err: err}
		}
	}
	return nil
}

// carry waits until the workloads' interfaces send again: when a port moves, its other
// end loses its carrier for a moment, and the kernel notices in the background that it is back.
func (m migration) carry() error {
	for _, p := range m.net.Ports {
		if !standsIn(p) {
			continue
		}
		far := LinkID{NS(p.Attach.Target), interfaceOf(p)}
		if err := m.h.await(m.ctx, far.NS, "link "+far.Name+" to carry", setUp{ID: far, Up: true}.running); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plane) undivert(name overlay.NetworkName, in bool) error {
	if p.Diverter == nil {
		return nil
	}
	return p.Diverter.Undivert(name, in)
}
