package kernel

import (
	"errors"
	"fmt"

	"weft/overlay"
)

// Found are the planes of the networks that are on the host: what an earlier run has made
// tells, without any memory. One between two planes is on the kernel's as long as it has
// anything of that.
func (p *Plane) Found() (map[overlay.NetworkName]overlay.PlaneName, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.newHand()
	defer h.Close()
	names, err := p.present(h)
	if err != nil {
		return nil, fmt.Errorf("look for networks on the host: %w", err)
	}
	found, errs := map[overlay.NetworkName]overlay.PlaneName{}, []error{}
	for _, name := range names {
		ns := DomainNS(p.NetnsDir, name)
		have, err := h.observe(name, ns, NewObjects())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		switch {
		case have.ofUserPlane(ns):
			found[name] = overlay.PlaneUser
		case have.ofKernelPlane(ns):
			found[name] = overlay.PlaneKernel
		case have.ofPrograms(ns):
			found[name] = overlay.PlaneEBPF
		}
	}
	return found, errors.Join(errs...)
}
