package ebpf

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Many entries at a time cost one system call. A batch has to hold the largest bucket of a hash
// map, which is never near.
const batchSize = 1024

// scan calls f with each entry of a map. Whoever changes the map meanwhile changes nothing of
// what else is read.
func scan[K, V any](m *ebpf.Map, f func(K, V)) error {
	err := ebpf.ErrNotSupported
	switch m.Type() {
	case ebpf.Hash, ebpf.LRUHash, ebpf.LPMTrie:
		err = scanBatches(m, f)
	}
	if errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, unix.ENOSPC) {
		err = scanEach(m, f)
	}
	if err != nil {
		return fmt.Errorf("read map %s: %w", m.String(), err)
	}
	return nil
}

// scanBatches reads by bucket: entries that come and go beneath it do not make it begin again.
func scanBatches[K, V any](m *ebpf.Map, f func(K, V)) error {
	size := min(batchSize, m.MaxEntries())
	keys, values := make([]K, size), make([]V, size)
	var cursor ebpf.MapBatchCursor
	for {
		n, err := m.BatchLookup(&cursor, keys, values, nil)
		for i := range n {
			f(keys[i], values[i])
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// maxScans are the tries to read a map entry by entry, which begins again when the last one has
// gone.
const maxScans = 20

func scanEach[K, V any](m *ebpf.Map, f func(K, V)) (err error) {
	type entry struct {
		key   K
		value V
	}
	for range maxScans {
		var found []entry
		var e entry
		entries := m.Iterate()
		for entries.Next(&e.key, &e.value) {
			found = append(found, e)
			e = entry{} // what a value refers to is the entry's
		}
		if err = entries.Err(); errors.Is(err, ebpf.ErrIterationAborted) {
			continue
		}
		for _, e := range found {
			f(e.key, e.value)
		}
		return err
	}
	return err
}

// FullError says that entries found no room in a map, which is that of all networks.
type FullError struct {
	Map string
	// Room is how many the map holds, Missing how many it lacks.
	Room, Missing int
}

func (e *FullError) Error() string {
	return fmt.Sprintf("map %s is full: it holds %d entries of all networks together, and %d of this one found no room; "+
		"take networks or endpoints off this node, or give it one of them on the kernel plane", e.Map, e.Room, e.Missing)
}

// onlyFull reports whether nothing but room was missing.
func onlyFull(err error) bool {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(all.Unwrap(), func(err error) bool { return !onlyFull(err) })
	}
	_, ok := err.(*FullError)
	return ok
}

func isFull(err error) bool { return errors.Is(err, unix.E2BIG) || errors.Is(err, unix.ENOSPC) }

// put writes the entries that are not there so. When the map is full, it writes those of them
// that find room.
func put[K, V comparable](m *ebpf.Map, name string, want, have map[K]V) error {
	var keys []K
	var values []V
	for k, v := range want {
		if old, ok := have[k]; !ok || old != v {
			keys, values = append(keys, k), append(values, v)
		}
	}
	full := &FullError{Map: name, Room: int(m.MaxEntries())}
	for len(keys) > 0 {
		size := min(batchSize, len(keys))
		n, err := putSome(m, keys[:size], values[:size])
		switch {
		case isFull(err):
			full.Missing++
			n++ // the one that found no room
		case err != nil:
			return fmt.Errorf("write map %s: %w", name, err)
		}
		keys, values = keys[n:], values[n:]
	}
	if full.Missing > 0 {
		return full
	}
	return nil
}

// putSome writes entries, and returns how many until one could not be written.
func putSome[K, V any](m *ebpf.Map, keys []K, values []V) (int, error) {
	if len(keys) > 1 {
		n, err := m.BatchUpdate(keys, values, nil)
		if !errors.Is(err, ebpf.ErrNotSupported) {
			return n, err
		}
	}
	for i := range keys {
		if err := m.Put(keys[i], values[i]); err != nil {
			return i, err
		}
	}
	return len(keys), nil
}

// remove deletes the entries that are not wanted.
func remove[K, V comparable](m *ebpf.Map, name string, want, have map[K]V) error {
	for k := range have {
		if _, ok := want[k]; ok {
			continue
		}
		if err := m.Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("delete from map %s: %w", name, err)
		}
	}
	return nil
}

// purge deletes those of a map's entries that match.
func purge[K, V any](m *ebpf.Map, match func(K, V) bool) error {
	var found []K
	err := scan(m, func(k K, v V) {
		if match(k, v) {
			found = append(found, k)
		}
	})
	for _, k := range found {
		if e := m.Delete(k); e != nil && !errors.Is(e, ebpf.ErrKeyNotExist) {
			err = errors.Join(err, fmt.Errorf("delete from map %s: %w", m.String(), e))
		}
	}
	return err
}
