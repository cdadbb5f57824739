package ebpf

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"weft/overlay"
)

// Options say where programs work. Dir and Host are required.
type Options struct {
	// Dir holds the pins: it is, or becomes, a BPF file system.
	Dir string
	// Host is the path of the namespace whose devices they are attached to.
	Host string
	// Log [none].
	Log *slog.Logger
	// hook is where they are attached [the best that the kernel has].
	hook hook
}

// Programs are those in the kernel, with their maps.
type Programs struct {
	host, dir string
	log       *slog.Logger
	hook      hook
	objects   programsObjects
	// ids are the kernel's numbers of the programs.
	ids map[role]ebpf.ProgramID
	// counters are those in use: for one goroutine at a time, as the methods that need them are.
	counters Counters
	// specs are those of the maps that are pinned, layout is what these say.
	specs  map[string]*ebpf.MapSpec
	layout string
	// older are the folders of maps of other layouts, with which other programs still run.
	older []string
	// inherited are the counters that were in use with those.
	inherited Counters
	segments  segments
	places    *places
	// full says of networks what found no room, as counters are used.
	full map[overlay.VNI]error
	// unlearnt counts stations that were heard and not learnt, since that was last told.
	unlearnt atomic.Int64
}

// Open loads the programs, over the maps that an earlier run has left, and has what is
// attached run them.
func Open(o Options) (*Programs, error) {
	spec, err := loadPrograms()
	if err != nil {
		return nil, err
	}
	return open(o, spec)
}

func open(o Options, spec *ebpf.CollectionSpec) (*Programs, error) {
	if err := Probe(); err != nil {
		return nil, err
	}
	p := &Programs{host: o.Host, dir: o.Dir, log: o.Log, hook: o.hook, segments: segments{at: map[uint32]segment{}}, places: newPlaces(), full: map[overlay.VNI]error{}}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.hook == "" {
		var err error
		if p.hook, err = bestHook(); err != nil {
			return nil, err
		}
	}
	if err := p.load(spec); err != nil {
		return nil, err
	}
	if err := p.follow(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	if err := p.readCounters(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.inherited = maps.Clone(p.counters)
	return p, nil
}

// load loads the programs over pinned maps, which are made if there are none of their layout.
func (p *Programs) load(spec *ebpf.CollectionSpec) (err error) {
	p.specs = map[string]*ebpf.MapSpec{}
	for name, m := range spec.Maps {
		if m.Name != ".rodata" && m.Name != ".bss" {
			m.Pinning = ebpf.PinByName
			p.specs[name] = m
		}
	}
	if p.layout, err = layoutOf(p.specs); err != nil {
		return err
	}
	if err := mountFS(p.dir); err != nil {
		return err
	}
	for _, d := range []string{p.maps(), p.links(), p.qdiscs()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	if err := spec.LoadAndAssign(&p.objects, &ebpf.CollectionOptions{Maps: ebpf.MapOptions{PinPath: p.maps()}}); err != nil {
		return fmt.Errorf("load programs: %w", err)
	}
	return p.identify()
}

// follow has what is attached run the programs, at once if the maps are those that it runs
// with already.
func (p *Programs) follow() error {
	if err := p.findOlder(); err != nil {
		return err
	}
	if len(p.older) > 0 {
		return p.inherit()
	}
	return p.takeOver()
}

// Close releases what this process holds; the kernel forwards on.
func (p *Programs) Close() error { return p.objects.Close() }

func (p *Programs) maps() string   { return filepath.Join(p.dir, mapsPrefix+p.layout) }
func (p *Programs) links() string  { return filepath.Join(p.dir, "links") }
func (p *Programs) qdiscs() string { return filepath.Join(p.dir, "qdiscs") }

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

// Remove takes away all that is attached in a namespace, and the pins in dir.
func Remove(dir, host string) error {
	p := &Programs{dir: dir, host: host}
	return errors.Join(p.detachAll(), unmountFS(dir))
}

// unmountFS takes away what mountFS has made, with everything in it.
func unmountFS(dir string) error {
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
