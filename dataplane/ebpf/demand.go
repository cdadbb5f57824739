package ebpf

import (
	"context"
	"sync"

	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/overlay"
)

// Demand opens programs when a network needs them for the first time: most hosts have none
// that does, and loading takes a third of a second and memory.
type Demand struct {
	options Options
	// opened is closed when programs is set.
	opened chan struct{}

	mu       sync.Mutex
	programs *Programs
}

var _ kernel.Programs = (*Demand)(nil)

// OnDemand is Open, but at once only if an earlier run has left something attached.
func OnDemand(o Options) (*Demand, error) {
	d := &Demand{options: o, opened: make(chan struct{})}
	for _, at := range (&Programs{dir: o.Dir, host: o.Host}).attachers() {
		found, err := at.all()
		if err == nil && len(found) > 0 {
			_, err = d.open()
		}
		if err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *Demand) open() (*Programs, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.programs != nil {
		return d.programs, nil
	}
	p, err := Open(d.options)
	if err != nil {
		return nil, err
	}
	d.programs = p
	close(d.opened)
	return p, nil
}

// there are the programs, nil if none were needed yet.
func (d *Demand) there() *Programs {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.programs
}

// Close is Programs.Close.
func (d *Demand) Close() error {
	if p := d.there(); p != nil {
		return p.Close()
	}
	return nil
}

// Change implements kernel.Programs.
func (d *Demand) Change(old, next dataplane.Network, nd dataplane.NetworkDelta, on kernel.ProgramLinks) error {
	p, err := d.open()
	if err != nil {
		return err
	}
	return p.Change(old, next, nd, on)
}

// Pass implements kernel.Programs.
func (d *Demand) Pass() kernel.ProgramPass { return &demandPass{demand: d} }

// demandPass opens the programs when it is asked for something first.
type demandPass struct {
	demand *Demand
	pass   kernel.ProgramPass
}

func (s *demandPass) open() (kernel.ProgramPass, error) {
	if s.pass == nil {
		p, err := s.demand.open()
		if err != nil {
			return nil, err
		}
		s.pass = p.Pass()
	}
	return s.pass, nil
}

// Differs implements kernel.ProgramPass.
func (s *demandPass) Differs(n dataplane.Network, on kernel.ProgramLinks) ([]string, error) {
	p, err := s.open()
	if err != nil {
		return nil, err
	}
	return p.Differs(n, on)
}

// Forward implements kernel.ProgramPass.
func (s *demandPass) Forward(n dataplane.Network, on kernel.ProgramLinks) error {
	p, err := s.open()
	if err != nil {
		return err
	}
	return p.Forward(n, on)
}

// TunnelDiffers implements kernel.ProgramPass.
func (s *demandPass) TunnelDiffers(t dataplane.Tunnel, on kernel.TunnelLinks) ([]string, error) {
	p, err := s.open()
	if err != nil {
		return nil, err
	}
	return p.TunnelDiffers(t, on)
}

// ForwardTunnel implements kernel.ProgramPass.
func (s *demandPass) ForwardTunnel(t dataplane.Tunnel, on kernel.TunnelLinks) error {
	p, err := s.open()
	if err != nil {
		return err
	}
	return p.ForwardTunnel(t, on)
}

// View implements kernel.ProgramPass.
func (s *demandPass) View(n dataplane.Network, on kernel.ProgramLinks, device func(uint32) string) (kernel.ProgramView, error) {
	p, err := s.open()
	if err != nil {
		return kernel.ProgramView{}, err
	}
	return p.View(n, on, device)
}

// Tidy implements kernel.Programs.
func (d *Demand) Tidy(there func(index uint32) bool) error {
	if p := d.there(); p != nil {
		return p.Tidy(there)
	}
	return nil
}

// Drops implements kernel.Programs.
func (d *Demand) Drops(v overlay.VNI) (map[overlay.DropReason]uint64, error) {
	if p := d.there(); p != nil {
		return p.Drops(v)
	}
	return nil, nil
}

// Traffic implements kernel.Programs.
func (d *Demand) Traffic(n dataplane.Network, on kernel.ProgramLinks) (kernel.ProgramTraffic, error) {
	if p := d.there(); p != nil {
		return p.Traffic(n, on)
	}
	return kernel.ProgramTraffic{}, nil
}

// TunnelTraffic implements kernel.Programs.
func (d *Demand) TunnelTraffic(on kernel.TunnelLinks) (overlay.Traffic, map[overlay.DropReason]overlay.Count, error) {
	if p := d.there(); p != nil {
		return p.TunnelTraffic(on)
	}
	return overlay.Traffic{}, nil, nil
}

// Untold implements kernel.Programs.
func (d *Demand) Untold(n dataplane.Network) []overlay.DropReason { return (*Programs)(nil).Untold(n) }

// Run implements kernel.Programs.
func (d *Demand) Run(ctx context.Context, heard kernel.Heard) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.opened:
		return d.there().Run(ctx, heard)
	}
}
