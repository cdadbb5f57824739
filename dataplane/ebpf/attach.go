package ebpf

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"
)

// role is which of the programs runs on a device.
type role string

const (
	onPort     role = "port"
	onGateway  role = "gateway"
	onTunnel   role = "tunnel"
	onUnderlay role = "underlay"
	onEnd      role = "end"
	onPeer     role = "peer"
)

// attachment is a device that runs a program on what it receives.
type attachment struct {
	index uint32
	role  role
}

// isFirst reports whether the program stands before all others on a device.
func (r role) isFirst() bool { return r == onPeer }

// attacher is a way to have devices run programs. What it attaches stays so when the
// process has gone, and is found again by all.
type attacher interface {
	// attach has a device run a program. One that it runs in this role already is replaced:
	// at no moment there is none.
	attach(attachment, *ebpf.Program) error
	// detach takes the program of a role from a device. That there is none is no error.
	detach(attachment) error
	// all are the attachments of Weft's, and no others, with the program that each runs; 0:
	// none any more.
	all() (map[attachment]ebpf.ProgramID, error)
}

// hook is where in a device's way programs are attached.
type hook string

const (
	tcx    hook = "tcx"     // Linux 6.6
	clsact hook = "cls_bpf" // before
)

// hooks are those that there are, the better one first.
var hooks = [...]hook{tcx, clsact}

// attachers are the ways to all hooks.
func (p *Programs) attachers() map[hook]attacher {
	return map[hook]attacher{
		tcx:    pinnedLinks{p.links(), p.host},
		clsact: taggedFilters{p.qdiscs(), p.host},
	}
}

func (p *Programs) program(r role) *ebpf.Program {
	switch r {
	case onPort:
		return p.objects.FromPort
	case onGateway:
		return p.objects.FromGateway
	case onTunnel:
		return p.objects.FromTunnel
	case onEnd:
		return p.objects.FromEnd
	case onPeer:
		return p.objects.FromPeer
	}
	return p.objects.FromUnderlay
}

// attach has a device run the program of a role.
func (p *Programs) attach(a attachment) error {
	if err := p.attachers()[p.hook].attach(a, p.program(a.role)); err != nil {
		return fmt.Errorf("attach the program %s to device %d by %s: %w", a.role, a.index, p.hook, err)
	}
	return nil
}

// attached are the devices that run programs, by the hook that was chosen.
func (p *Programs) attached() (map[attachment]ebpf.ProgramID, error) {
	found, err := p.attachers()[p.hook].all()
	if err != nil {
		return nil, fmt.Errorf("look for programs at %s: %w", p.hook, err)
	}
	return found, nil
}

// attachedAnywhere are those at all hooks.
func (p *Programs) attachedAnywhere() (map[attachment]ebpf.ProgramID, error) {
	all := map[attachment]ebpf.ProgramID{}
	for h, at := range p.attachers() {
		found, err := at.all()
		if err != nil {
			return nil, fmt.Errorf("look for programs at %s: %w", h, err)
		}
		maps.Copy(all, found)
	}
	return all, nil
}

// takeOver has all that is attached run the programs that were just loaded, by the hook
// that was chosen: what is attached to another one, by another version, is detached when
// the new one runs.
func (p *Programs) takeOver() error {
	var errs []error
	for _, h := range hooks {
		found, err := p.attachers()[h].all()
		errs = append(errs, err)
		for a, runs := range found {
			if runs == 0 {
				continue // its device has gone: Tidy's
			}
			err := p.attach(a)
			if err == nil && h != p.hook {
				err = p.attachers()[h].detach(a)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// detach takes the programs from all devices but these.
func (p *Programs) detach(keep func(attachment) bool) error {
	found, err := p.attached()
	errs := []error{err}
	kept := map[uint32]bool{}
	for a := range found {
		if keep(a) {
			kept[a.index] = true
			continue
		}
		errs = append(errs, p.attachers()[p.hook].detach(a))
	}
	return errors.Join(append(errs, p.sweep(kept))...)
}

// detachAll takes all programs from all devices.
func (p *Programs) detachAll() error {
	var errs []error
	for _, at := range p.attachers() {
		found, err := at.all()
		errs = append(errs, err)
		for a := range found {
			errs = append(errs, at.detach(a))
		}
	}
	return errors.Join(append(errs, p.sweep(nil))...)
}

// sweep takes away what attaching to devices has needed that are not kept.
func (p *Programs) sweep(kept map[uint32]bool) error {
	filters := taggedFilters{p.qdiscs(), p.host}
	return filters.sweep(func(index uint32) bool { return kept[index] })
}

// identify asks for the kernel's numbers of the programs: once, as it copies all of a program to
// answer.
func (p *Programs) identify() error {
	p.ids = map[role]ebpf.ProgramID{}
	for _, r := range roles() {
		info, err := p.program(r).Info()
		if err != nil {
			return fmt.Errorf("look at program %s: %w", r, err)
		}
		p.ids[r], _ = info.ID()
	}
	return nil
}

// idle says which of the devices do not run the programs that they are to run.
func (p *Programs) idle(all []attachment, attached map[attachment]ebpf.ProgramID) (lines []string) {
	for _, a := range all {
		switch attached[a] {
		case p.ids[a.role]:
		case 0:
			lines = append(lines, fmt.Sprintf("no program on device %d (%s)", a.index, a.role))
		default:
			lines = append(lines, fmt.Sprintf("another program on device %d (%s)", a.index, a.role))
		}
	}
	return lines
}

// roles are those that there are.
func roles() []role { return []role{onPort, onGateway, onTunnel, onUnderlay, onEnd, onPeer} }

// isRole reports whether a name is one of a role.
func isRole(name string) bool { return slices.Contains(roles(), role(name)) }
