package ebpf

import (
	"bytes"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

func structOf(members ...btf.Member) *btf.Struct {
	s := &btf.Struct{Name: "thing"}
	for _, m := range members {
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			panic(err)
		}
		m.Offset = btf.Bits(8 * s.Size)
		s.Members, s.Size = append(s.Members, m), s.Size+uint32(size)
	}
	return s
}

var (
	word  = &btf.Int{Name: "u32", Size: 4}
	short = &btf.Int{Name: "u16", Size: 2}
	bits  = &btf.Array{Index: word, Type: &btf.Int{Name: "u8", Size: 1}, Nelems: 6}
)

func TestMembers(t *testing.T) {
	t.Parallel()
	inner := structOf(btf.Member{Name: "byte", Type: bits}, btf.Member{Name: "pad", Type: short})
	got, err := membersOf(structOf(btf.Member{Name: "vni", Type: word}, btf.Member{Name: "mac", Type: inner}))
	if err != nil {
		t.Fatal(err)
	}
	if want := []member{{"vni", 0, 4}, {"mac.byte", 4, 6}, {"mac.pad", 10, 2}}; !slices.Equal(got, want) {
		t.Errorf("want %v, got %v", want, got)
	}
	if got, err := membersOf(word); err != nil || !slices.Equal(got, []member{{"", 0, 4}}) {
		t.Errorf("of a number: %v, %v", got, err)
	}
}

// Members keep their values wherever they have gone; those that are new are zero, and what
// has gone is not looked for.
func TestConversion(t *testing.T) {
	t.Parallel()
	from := []member{{"vni", 0, 4}, {"gone", 4, 4}, {"mac.byte", 8, 6}, {"flags", 14, 2}}
	to := []member{{"flags", 0, 4}, {"fresh", 4, 2}, {"mac.byte", 6, 6}, {"vni", 12, 2}}
	was := []byte{1, 2, 0, 0, 9, 9, 9, 9, 11, 12, 13, 14, 15, 16, 7, 8}
	want := []byte{7, 8, 0, 0, 0, 0, 11, 12, 13, 14, 15, 16, 1, 2}
	if got := conversionOf(from, to, 14).convert(was); !bytes.Equal(got, want) {
		t.Errorf("want %v, got %v", want, got)
	}
}

// Whatever changes in a map makes another layout.
func TestLayout(t *testing.T) {
	t.Parallel()
	spec := func(change func(*ebpf.MapSpec)) string {
		m := &ebpf.MapSpec{
			Name: "things", Type: ebpf.Hash, KeySize: 4, ValueSize: 8, MaxEntries: 16, Key: word,
			Value: structOf(btf.Member{Name: "a", Type: word}, btf.Member{Name: "b", Type: word}),
		}
		change(m)
		l, err := layoutOf(map[string]*ebpf.MapSpec{m.Name: m})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	same := spec(func(*ebpf.MapSpec) {})
	if again := spec(func(*ebpf.MapSpec) {}); again != same {
		t.Errorf("one layout is %s and %s", same, again)
	}
	for name, change := range map[string]func(*ebpf.MapSpec){
		"name":   func(m *ebpf.MapSpec) { m.Name = "others" },
		"type":   func(m *ebpf.MapSpec) { m.Type = ebpf.LRUHash },
		"size":   func(m *ebpf.MapSpec) { m.ValueSize = 12 },
		"room":   func(m *ebpf.MapSpec) { m.MaxEntries = 32 },
		"flags":  func(m *ebpf.MapSpec) { m.Flags = 1 },
		"member": func(m *ebpf.MapSpec) { m.Value.(*btf.Struct).Members[1].Name = "c" },
		"order": func(m *ebpf.MapSpec) {
			m.Value = structOf(btf.Member{Name: "b", Type: word}, btf.Member{Name: "a", Type: word})
		},
	} {
		if other := spec(change); other == same {
			t.Errorf("another %s is the same layout", name)
		}
	}
}
