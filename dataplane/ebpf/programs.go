package ebpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// Programs are those in the kernel, with their maps.
type Programs struct {
	// host is the path of the namespace whose devices they are attached to.
	host string
	// dir holds the pins, in a BPF file system.
	dir      string
	objects  programsObjects
	segments segments
}

// Layout names the maps' layout: one with another number is not this version's to read.
const layout = "v1"

// Open loads the programs, over the maps that an earlier run has left in dir, and has
// what is attached run them.
func Open(dir, host string) (*Programs, error) {
	spec, err := loadPrograms()
	if err != nil {
		return nil, err
	}
	return open(dir, host, spec)
}

func open(dir, host string, spec *ebpf.CollectionSpec) (*Programs, error) {
	if err := Probe(); err != nil {
		return nil, err
	}
	p := &Programs{host: host, dir: dir, segments: segments{at: map[uint32]segment{}}}
	if err := mountFS(dir); err != nil {
		return nil, err
	}
	for _, d := range []string{p.maps(), p.links()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	for _, m := range spec.Maps {
		if m.Name != ".rodata" && m.Name != ".bss" {
			m.Pinning = ebpf.PinByName
		}
	}
	if err := spec.LoadAndAssign(&p.objects, &ebpf.CollectionOptions{Maps: ebpf.MapOptions{PinPath: p.maps()}}); err != nil {
		return nil, fmt.Errorf("load programs: %w", err)
	}
	if err := p.update(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Close releases what this process holds; the kernel forwards on.
func (p *Programs) Close() error { return p.objects.Close() }

func (p *Programs) maps() string  { return filepath.Join(p.dir, "maps-"+layout) }
func (p *Programs) links() string { return filepath.Join(p.dir, "links") }

// mountFS makes dir a folder of a BPF file system.
func mountFS(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	if fs.Type == unix.BPF_FS_MAGIC {
		return nil
	}
	if err := unix.Mount("bpf", dir, "bpf", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700"); err != nil {
		return fmt.Errorf("mount a BPF file system at %s: %w", dir, err)
	}
	return nil
}

// Dir is where a daemon with a run directory keeps its pins.
func Dir(runDir string) string { return filepath.Join(runDir, "bpf") }

// Remove takes away the pins in dir, and with them all that was attached.
func Remove(dir string) error {
	var fs unix.Statfs_t
	switch err := unix.Statfs(dir, &fs); {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at %s: %w", dir, err)
	case fs.Type != unix.BPF_FS_MAGIC:
		return nil
	}
	if err := unix.Unmount(dir, 0); err != nil {
		return fmt.Errorf("unmount %s: %w", dir, err)
	}
	return os.Remove(dir)
}

// role is which of the programs runs on a device.
type role string

const (
	onPort     role = "port"
	onGateway  role = "gateway"
	onTunnel   role = "tunnel"
	onUnderlay role = "underlay"
)

func (p *Programs) program(r role) *ebpf.Program {
	switch r {
	case onPort:
		return p.objects.FromPort
	case onGateway:
		return p.objects.FromGateway
	case onTunnel:
		return p.objects.FromTunnel
	}
	return p.objects.FromUnderlay
}

// pin is the file of a device's program: "17-port".
func (p *Programs) pin(index uint32, r role) string {
	return filepath.Join(p.links(), fmt.Sprintf("%d-%s", index, r))
}

// attach has a device run a program on what it receives.
func (p *Programs) attach(index uint32, r role) error {
	file := p.pin(index, r)
	attached, err := isAttached(file, index)
	if err != nil || attached {
		return err
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return netns.Do(p.host, func() error {
		l, err := link.AttachTCX(link.TCXOptions{Interface: int(index), Program: p.program(r), Attach: ebpf.AttachTCXIngress})
		if err != nil {
			return fmt.Errorf("attach a program to device %d: %w", index, err)
		}
		return errors.Join(l.Pin(file), l.Close())
	})
}

// isAttached reports whether the link that is pinned in a file is a device's, and alive.
func isAttached(file string, index uint32) (bool, error) {
	l, err := link.LoadPinnedLink(file, nil)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open %s: %w", file, err)
	}
	defer l.Close()
	info, err := l.Info()
	if err != nil {
		return false, err
	}
	tcx := info.TCX()
	return tcx != nil && tcx.Ifindex == index, nil
}

// update has all that is attached run the programs that were just loaded: at no moment
// is there none (bpf_link_update).
func (p *Programs) update() error {
	return p.each(func(file string, _ uint32, r role) error {
		l, err := link.LoadPinnedLink(file, nil)
		if err != nil {
			return fmt.Errorf("open %s: %w", file, err)
		}
		defer l.Close()
		if err := l.Update(p.program(r)); err != nil && !errors.Is(err, unix.ENOLINK) {
			return fmt.Errorf("update %s: %w", file, err)
		}
		return nil
	})
}

// detach takes the programs from all devices but these.
func (p *Programs) detach(keep func(index uint32, r role) bool) error {
	return p.each(func(file string, index uint32, r role) error {
		if keep(index, r) {
			return nil
		}
		return os.Remove(file) // the last reference: the kernel detaches it
	})
}

func (p *Programs) each(f func(file string, index uint32, r role) error) error {
	files, err := os.ReadDir(p.links())
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		number, name, _ := strings.Cut(file.Name(), "-")
		index, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			continue // not Weft's
		}
		errs = append(errs, f(filepath.Join(p.links(), file.Name()), uint32(index), role(name)))
	}
	return errors.Join(errs...)
}
