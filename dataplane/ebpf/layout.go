package ebpf

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// The maps' layout is what their types say: how large they are, and what their keys and
// values consist of. Nobody has to remember to number it.

// member is a number or an array in a key or a value, by its name there: "ip.word".
type member struct {
	name         string
	offset, size uint32
}

// membersOf lists those of a type, in order.
func membersOf(t btf.Type) ([]member, error) { return appendMembers(nil, t, "", 0) }

func appendMembers(l []member, t btf.Type, name string, offset uint32) ([]member, error) {
	s, ok := btf.UnderlyingType(t).(*btf.Struct)
	if !ok {
		size, err := btf.Sizeof(t)
		return append(l, member{strings.TrimPrefix(name, "."), offset, uint32(size)}), err
	}
	for _, m := range s.Members {
		var err error
		if l, err = appendMembers(l, m.Type, name+"."+m.Name, offset+m.Offset.Bytes()); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// layoutOf identifies the layout of maps that are pinned.
func layoutOf(all map[string]*ebpf.MapSpec) (string, error) {
	sum := fnv.New64a()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		fmt.Fprintf(sum, "%s %s flags %#x", name, m, m.Flags)
		for _, t := range []btf.Type{m.Key, m.Value} {
			if t == nil {
				continue // of a ring buffer
			}
			members, err := membersOf(t)
			if err != nil {
				return "", fmt.Errorf("look at the types of map %s: %w", name, err)
			}
			fmt.Fprintf(sum, " %v", members)
		}
	}
	return fmt.Sprintf("%016x", sum.Sum64()), nil
}

// conversion makes a key or a value of one layout one of another.
type conversion struct {
	size  uint32
	moves []move
}

type move struct{ from, to, size uint32 }

// conversionOf takes over members of the same name; of one that has another size, what fits
// (numbers are little-endian). Others are zero.
func conversionOf(from, to []member, size uint32) conversion {
	c := conversion{size: size}
	for _, t := range to {
		at := slices.IndexFunc(from, func(f member) bool { return f.name == t.name })
		if at >= 0 {
			c.moves = append(c.moves, move{from[at].offset, t.offset, min(from[at].size, t.size)})
		}
	}
	return c
}

func (c conversion) convert(b []byte) []byte {
	to := make([]byte, c.size)
	for _, m := range c.moves {
		copy(to[m.to:m.to+m.size], b[m.from:])
	}
	return to
}

// errUnknownLayout says that a map does not tell what its keys and values consist of.
var errUnknownLayout = errors.New("it does not say what it consists of")

// conversions are those of keys and values of a map that there is.
func conversions(from *ebpf.Map, to *ebpf.MapSpec) (key, value conversion, err error) {
	info, err := from.Info()
	if err != nil {
		return key, value, err
	}
	id, ok := info.BTFID()
	if !ok {
		return key, value, errUnknownLayout
	}
	handle, err := btf.NewHandleFromID(id)
	if err != nil {
		return key, value, err
	}
	defer handle.Close()
	types, err := handle.Spec(nil)
	if err != nil {
		return key, value, err
	}
	if key, err = conversionFrom(types, to.Key, to.KeySize); err != nil {
		return key, value, err
	}
	value, err = conversionFrom(types, to.Value, to.ValueSize)
	return key, value, err
}

// conversionFrom is the one to a type from that of the same name. A type that is none of Weft's
// is a number.
func conversionFrom(types *btf.Spec, to btf.Type, size uint32) (c conversion, err error) {
	was := to
	if s, ok := btf.UnderlyingType(to).(*btf.Struct); ok {
		var found *btf.Struct
		if err := types.TypeByName(s.Name, &found); err != nil {
			return c, errors.Join(errUnknownLayout, err)
		}
		was = found
	}
	from, err := membersOf(was)
	if err != nil {
		return c, err
	}
	members, err := membersOf(to)
	return conversionOf(from, members, size), err
}
