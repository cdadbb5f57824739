package ebpf

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// Probe asks the kernel for each thing that the programs use, and says what it lacks. What
// else may be in the way, loading them shows.
func Probe() error {
	spec, err := loadPrograms()
	if err != nil {
		return err
	}
	return lacking(needsOf(spec))
}

// need is something that a kernel has or lacks.
type need struct {
	name string
	// has returns nil, ebpf.ErrNotSupported, or why it is not known.
	has func() error
}

// needsOf are what the programs use, by what they consist of.
func needsOf(spec *ebpf.CollectionSpec) []need {
	types, helpers := map[ebpf.MapType]bool{}, map[asm.BuiltinFunc]bool{}
	for _, m := range spec.Maps {
		types[m.Type] = true
	}
	for _, p := range spec.Programs {
		for _, i := range p.Instructions {
			if i.IsBuiltinCall() {
				helpers[asm.BuiltinFunc(i.Constant)] = true
			}
		}
	}
	needs := []need{{"programs of type SchedCLS", func() error { return features.HaveProgramType(ebpf.SchedCLS) }}}
	for _, t := range slices.Sorted(maps.Keys(types)) {
		needs = append(needs, need{fmt.Sprintf("maps of type %s", t), func() error { return features.HaveMapType(t) }})
	}
	for _, f := range slices.Sorted(maps.Keys(helpers)) {
		needs = append(needs, need{f.String(), func() error { return features.HaveProgramHelper(ebpf.SchedCLS, f) }})
	}
	// tcx: Linux 6.6. cls_bpf: CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF.
	return append(needs, need{"tcx or cls_bpf", func() error {
		_, err := bestHook()
		return err
	}})
}

// bestHook is where programs are attached, if nobody says so.
func bestHook() (hook, error) {
	for _, h := range hooks {
		switch err := haveHook(h); {
		case err == nil:
			return h, nil
		case !errors.Is(err, ebpf.ErrNotSupported):
			return "", err
		}
	}
	return "", ebpf.ErrNotSupported
}

// haveHook tries to attach a program that does nothing.
func haveHook(h hook) error {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, License: "Dual BSD/GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return err
	}
	defer program.Close()
	if h == tcx {
		return haveTCX(program)
	}
	return haveClsact(program)
}

// haveTCX attaches to a device that there is not: a kernel without tcx does not come to
// look for it.
func haveTCX(program *ebpf.Program) error {
	l, err := link.AttachTCX(link.TCXOptions{Interface: math.MaxInt32, Program: program, Attach: ebpf.AttachTCXIngress})
	switch {
	case err == nil:
		return l.Close()
	case errors.Is(err, unix.ENODEV):
		return nil
	}
	return err
}

// haveClsact attaches to the loopback of a namespace that goes again: a kernel looks for
// the device first.
func haveClsact(program *ebpf.Program) error {
	const loopback = 1
	err := netns.DoAlone(func() error {
		if err := netlink.QdiscAdd(clsactOf(loopback)); err != nil {
			return err
		}
		f := filterOf(attachment{loopback, onPort})
		f.Fd = program.FD()
		return netlink.FilterAdd(f)
	})
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) { // no such qdisc, no such filter
		return fmt.Errorf("%w: %w", ebpf.ErrNotSupported, err)
	}
	return err
}

// lacking names all that is not there, or the first of which it cannot be told.
func lacking(needs []need) error {
	var lacks []string
	for _, n := range needs {
		switch err := n.has(); {
		case errors.Is(err, ebpf.ErrNotSupported):
			lacks = append(lacks, n.name)
		case err != nil:
			return fmt.Errorf("ask the kernel for %s: %w", n.name, err)
		}
	}
	if len(lacks) > 0 {
		return fmt.Errorf("the kernel lacks %s", strings.Join(lacks, ", "))
	}
	return nil
}
