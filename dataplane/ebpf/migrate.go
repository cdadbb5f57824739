package ebpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Maps of another layout are those of another version, whose programs forward with them.
// Open makes new ones beside them, which get what the old ones have as far as it is known what
// that means; then Forward gives each network what it needs; and Tidy, which comes when it did
// so for all, has all devices run the new programs, and takes the old maps away. Until then
// the old programs run, and know nothing of what changes.

const (
	mapsPrefix = "maps-" // a layout follows
	gonePrefix = "gone-" // what is being removed
)

// findOlder finds the folders of other layouts' maps, and removes what was being removed.
func (p *Programs) findOlder() error {
	dirs, err := os.ReadDir(p.dir)
	if err != nil {
		return err
	}
	for _, d := range dirs {
		path := filepath.Join(p.dir, d.Name())
		switch {
		case strings.HasPrefix(d.Name(), gonePrefix):
			err = errors.Join(err, os.RemoveAll(path))
		case strings.HasPrefix(d.Name(), mapsPrefix) && path != p.maps():
			p.older = append(p.older, path)
		}
	}
	return err
}

// inherit gives the maps what older ones have.
func (p *Programs) inherit() error {
	return p.fromOlder(func(m *ebpf.Map, spec *ebpf.MapSpec, from *ebpf.Map) error {
		switch spec.Type {
		case ebpf.Hash, ebpf.LRUHash, ebpf.LPMTrie:
			return convertEntries(m, spec, from, nil)
		}
		return nil // counters come last, and what is underway is not for others
	})
}

// succeed has all devices run the programs, whose maps have all by now, and takes the older
// maps away.
func (p *Programs) succeed() error {
	if len(p.older) == 0 {
		return nil
	}
	p.log.Info("the maps have another layout: the programs change over", "from", p.older, "to", p.maps())
	// What is learnt while devices change over is taken in after that.
	if err := errors.Join(p.inheritStations(), p.takeOver(), p.inheritStations(), p.inheritCounters()); err != nil {
		return err
	}
	for _, dir := range p.older {
		gone := filepath.Join(p.dir, gonePrefix+strings.TrimPrefix(filepath.Base(dir), mapsPrefix))
		if err := errors.Join(os.Rename(dir, gone), os.RemoveAll(gone)); err != nil {
			return fmt.Errorf("remove older maps: %w", err)
		}
	}
	p.older = nil
	return nil
}

// inheritStations takes over the stations that older programs have learnt.
func (p *Programs) inheritStations() error {
	return p.fromOlder(func(m *ebpf.Map, spec *ebpf.MapSpec, from *ebpf.Map) error {
		if spec.Name != "stations" {
			return nil
		}
		members, err := membersOf(spec.Value)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(members, func(m member) bool { return m.name == "flags" })
		return convertEntries(m, spec, from, func(value []byte) bool {
			return binary.NativeEndian.Uint32(value[members[at].offset:])&stationLearnt != 0
		})
	})
}

// inheritCounters adds what older programs have counted.
func (p *Programs) inheritCounters() error {
	kept := map[uint16]bool{} // by those who had them
	for o, counter := range p.inherited {
		kept[counter] = p.counters[o] == counter
	}
	return p.fromOlder(func(m *ebpf.Map, spec *ebpf.MapSpec, from *ebpf.Map) error {
		if spec.Name != "drops" && spec.Name != "counters" {
			return nil
		}
		key, value, err := conversions(from, spec)
		if err != nil {
			return err
		}
		var k []byte
		var counted [][]byte // on each CPU
		entries := from.Iterate()
		for entries.Next(&k, &counted) {
			if spec.Name == "counters" && !kept[uint16(binary.NativeEndian.Uint32(k))] {
				continue
			}
			for cpu, v := range counted {
				counted[cpu] = value.convert(v)
			}
			if err := addCounted(m, key.convert(k), counted); err != nil {
				return err
			}
		}
		return entries.Err()
	})
}

// addCounted adds to a value that is numbers of 64 bits.
func addCounted(m *ebpf.Map, key []byte, counted [][]byte) error {
	var have [][]byte
	if err := m.Lookup(key, &have); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return err
	}
	for cpu := range have {
		for at := 0; at+8 <= len(have[cpu]); at += 8 {
			sum := binary.NativeEndian.Uint64(have[cpu][at:]) + binary.NativeEndian.Uint64(counted[cpu][at:])
			binary.NativeEndian.PutUint64(counted[cpu][at:], sum)
		}
	}
	return m.Put(key, counted)
}

// inheriting takes over something of an older map, which has the layout that spec has not.
type inheriting func(m *ebpf.Map, spec *ebpf.MapSpec, from *ebpf.Map) error

// fromOlder calls do with each map, and each older one of its name.
func (p *Programs) fromOlder(do inheriting) error {
	var errs []error
	for _, dir := range p.older {
		for name, spec := range p.specs {
			errs = append(errs, p.fromOlderIn(dir, name, spec, do))
		}
	}
	return errors.Join(errs...)
}

func (p *Programs) fromOlderIn(dir, name string, spec *ebpf.MapSpec, do inheriting) error {
	from, err := ebpf.LoadPinnedMap(filepath.Join(dir, name), nil)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open an older map %s: %w", name, err)
	}
	defer from.Close()
	m, err := ebpf.LoadPinnedMap(filepath.Join(p.maps(), name), nil)
	if err != nil {
		return fmt.Errorf("open map %s: %w", name, err)
	}
	defer m.Close()
	err = do(m, spec, from)
	if errors.Is(err, errUnknownLayout) || errors.Is(err, unix.E2BIG) {
		p.log.Warn("not all of an older map is taken over", "map", name, "because", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("take over map %s: %w", name, err)
	}
	return nil
}

// convertEntries takes over entries that a map does not have, of those whose values match.
func convertEntries(m *ebpf.Map, spec *ebpf.MapSpec, from *ebpf.Map, match func(value []byte) bool) error {
	key, value, err := conversions(from, spec)
	if err != nil {
		return err
	}
	var k, v []byte
	entries := from.Iterate()
	for entries.Next(&k, &v) {
		v = value.convert(v)
		if match != nil && !match(v) {
			continue
		}
		if err := m.Update(key.convert(k), v, ebpf.UpdateNoExist); err != nil && !errors.Is(err, ebpf.ErrKeyExist) {
			return err
		}
	}
	return entries.Err()
}
