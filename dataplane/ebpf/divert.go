package ebpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"weft/dataplane/kernel"
	"weft/internal/netns"
	"weft/overlay"
)

// Diversions are kernel.Diverter: a program of five instructions on a workload's interface,
// or its stand-in, pinned like all others.
type Diversions struct {
	// Dir is that of the pins, in a BPF file system.
	Dir string
}

var _ kernel.Diverter = Diversions{}

func (d Diversions) dir() string { return filepath.Join(d.Dir, "diversions") }

// pin is "blue:web:in"; a network's name has no colon.
func (d Diversions) pin(n overlay.NetworkName, port string, in bool) string {
	way := "out"
	if in {
		way = "in"
	}
	return filepath.Join(d.dir(), fmt.Sprintf("%s:%s:%s", n, port, way))
}

// Divert implements kernel.Diverter.
func (d Diversions) Divert(v kernel.Diversion) error {
	if err := mountFS(d.Dir); err != nil {
		return err
	}
	if err := os.MkdirAll(d.dir(), 0o700); err != nil {
		return err
	}
	from, to, attach, flags := v.Interface, v.StandIn, ebpf.AttachTCXEgress, int32(0)
	if v.In {
		const ingress = 1 // BPF_F_INGRESS
		from, to, attach, flags = v.StandIn, v.Interface, ebpf.AttachTCXIngress, ingress
	}
	pin := d.pin(v.Network, string(v.Port), v.In)
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "divert", Type: ebpf.SchedCLS, License: "Dual BSD/GPL", Instructions: asm.Instructions{
			asm.Mov.Imm(asm.R1, int32(to)), asm.Mov.Imm(asm.R2, flags), asm.FnRedirect.Call(), asm.Return(),
		},
	})
	if err != nil {
		return fmt.Errorf("load the program of a diversion: %w", err)
	}
	defer program.Close()
	if on, err := runs(pin, from, program); on || err != nil {
		return err
	}
	if err := end(pin); err != nil {
		return err
	}
	return netns.Do(v.Namespace, func() error {
		l, err := link.AttachTCX(link.TCXOptions{Interface: int(from), Program: program, Attach: attach})
		if errors.Is(err, ebpf.ErrNotSupported) {
			return kernel.ErrNoDiversions
		}
		if err != nil {
			return fmt.Errorf("divert device %d in %s: %w", from, v.Namespace, err)
		}
		return errors.Join(l.Pin(pin), l.Close())
	})
}

// Undivert implements kernel.Diverter.
func (d Diversions) Undivert(n overlay.NetworkName, in bool) error {
	files, err := os.ReadDir(d.dir())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, file := range files {
		words := strings.Split(file.Name(), ":")
		if len(words) == 3 && words[0] == string(n) && file.Name() == filepath.Base(d.pin(n, words[1], in)) {
			errs = append(errs, end(filepath.Join(d.dir(), file.Name())))
		}
	}
	return errors.Join(errs...)
}

// runs has the link that is pinned in a file run a program, if it is a device's, and alive.
func runs(pin string, index uint32, p *ebpf.Program) (bool, error) {
	l, err := link.LoadPinnedLink(pin, nil)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open %s: %w", pin, err)
	}
	defer l.Close()
	info, err := l.Info()
	if err != nil {
		return false, err
	}
	if t := info.TCX(); t == nil || t.Ifindex != index {
		return false, nil
	}
	return true, l.Update(p)
}

// end detaches a diversion at once: its last reference alone would take the kernel's
// time (bpf_link_put).
func end(pin string) error {
	l, err := link.LoadPinnedLink(pin, nil)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", pin, err)
	}
	defer l.Close()
	if err := l.Detach(); err != nil {
		return fmt.Errorf("end %s: %w", pin, err)
	}
	return os.Remove(pin)
}
