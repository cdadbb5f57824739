package ebpf

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"

	"weft/dataplane"
	"weft/dataplane/kernel"
)

// pass is a kernel.ProgramPass. What it knows is read when it is needed first, and again after
// something could not be written.
type pass struct {
	*Programs
	reading
	attached map[attachment]ebpf.ProgramID
}

// Pass implements kernel.Programs.
func (p *Programs) Pass() kernel.ProgramPass { return &pass{Programs: p} }

// fresh reads everything, unless that was done.
func (s *pass) fresh() (err error) {
	if s.tables != nil {
		return nil
	}
	if s.attached, err = s.Programs.attached(); err != nil {
		return err
	}
	r, err := s.read()
	if err == nil {
		s.reading = r
	}
	return err
}

// Differs implements kernel.ProgramPass.
func (s *pass) Differs(n dataplane.Network, on kernel.ProgramLinks) (lines []string, err error) {
	if err := s.fresh(); err != nil {
		return nil, err
	}
	lines = s.idle(attachments(n, on), s.attached)
	for name := range n.Ports {
		_, inDomain := on.Ends[name]
		if _, ok := on.Ports[name]; !ok && !inDomain {
			lines = append(lines, fmt.Sprintf("no device of port %s", name))
		}
	}
	if full := s.full[n.VNI]; full != nil {
		lines = append(lines, full.Error())
	}
	slices.Sort(lines)
	return append(lines, differing(Lower(n, on, s.counters), s.of(uint32(n.VNI)))...), nil
}

// Forward implements kernel.ProgramPass.
func (s *pass) Forward(n dataplane.Network, on kernel.ProgramLinks) error {
	if err := s.fresh(); err != nil {
		return err
	}
	have := s.of(uint32(n.VNI))
	if err := s.claim(n, on); err != nil {
		return err
	}
	want := Lower(n, on, s.counters)
	var err error
	if on.Tunnel != 0 { // nothing is left to it before it takes it
		err = s.attach(attachment{on.Tunnel, onTunnel})
	}
	if err == nil {
		err = s.fill(n, want, have)
	}
	if err == nil {
		err = errors.Join(s.seed(n, on, have), s.attachAll(n, on))
	}
	if err != nil {
		s.tables = nil
		return err
	}
	if s.full[n.VNI] != nil {
		s.tables = nil // who knows what has found room
		return nil
	}
	s.tables[uint32(n.VNI)] = want
	if len(s.older) > 0 {
		return nil // they run what they ran
	}
	s.runNow(attachments(n, on))
	return nil
}

// runNow notes that devices run the programs by now.
func (s *pass) runNow(all []attachment) {
	for _, a := range all {
		s.attached[a] = s.ids[a.role]
	}
}
