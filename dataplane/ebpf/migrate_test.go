package ebpf

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
)

// edit is a change of a source file of the programs.
type edit struct{ file, now, other string }

// olderSpec is an earlier version of the programs: one with another order in neighbours, more
// in stations, and tunnels in another type of map.
func olderSpec(t *testing.T) *ebpf.CollectionSpec {
	t.Helper()
	return variant(t,
		edit{"maps.h", "struct station {\n", "struct station {\n\t__u64 older;\n"},
		edit{"maps.h", "struct neighbor {\n\tstruct mac mac;\n\t__u16 flags;\n", "struct neighbor {\n\t__u16 flags;\n\tstruct mac mac;\n"},
		edit{"maps.h", "MAP(tunnels, HASH, struct tunnel_key, __u32, 64, BPF_F_NO_PREALLOC)", "MAP(tunnels, LRU_HASH, struct tunnel_key, __u32, 64, 0)"},
	)
}

// variant compiles the programs with changes, for small maps.
func variant(t *testing.T, edits ...edit) *ebpf.CollectionSpec {
	t.Helper()
	testenv.Need(t, "clang-16")
	source, err := os.ReadFile("generate.go")
	if err != nil {
		t.Fatal(err)
	}
	_, flags, ok := strings.Cut(strings.TrimSpace(string(source)), " -- ")
	if !ok {
		t.Fatal("generate.go has no flags for the compiler")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("bpf")); err != nil {
		t.Fatal(err)
	}
	for _, e := range edits {
		path := filepath.Join(dir, e.file)
		text := string(read(t, path))
		if !strings.Contains(text, e.now) {
			t.Fatalf("%s has no %q", e.file, e.now)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(text, e.now, e.other, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	object := filepath.Join(dir, "variant.o")
	args := append([]string{"-target", "bpfel", "-c", filepath.Join(dir, "weft.c"), "-o", object}, strings.Fields(flags)...)
	if out, err := exec.CommandContext(t.Context(), "clang-16", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	spec, err := ebpf.LoadCollectionSpec(object)
	if err != nil {
		t.Fatal(err)
	}
	return small(spec)
}

// goBack has an earlier version's programs forward, with its maps.
func goBack(o Options, spec *ebpf.CollectionSpec) error {
	p, err := open(o, spec)
	if err != nil {
		return err
	}
	if err := p.succeed(); err != nil {
		return err
	}
	return p.Close()
}

// replace has another plane take over from the bed's, with other programs.
func (b *bed) replace(t testing.TB, p *Programs) {
	t.Helper()
	plane := b.another(t, p)
	t.Cleanup(func() {
		if err := plane.Close(); err != nil {
			t.Error(err)
		}
	})
	b.programs, b.Plane = p, plane
}

// layouts are the folders of maps that there are.
func (b *bed) layouts(t testing.TB) (names []string) {
	t.Helper()
	dirs, err := os.ReadDir(b.options.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if strings.HasPrefix(d.Name(), mapsPrefix) || strings.HasPrefix(d.Name(), gonePrefix) {
			names = append(names, d.Name())
		}
	}
	return names
}

// Another version's maps are of another layout: its programs forward until all networks are
// in new ones. Nothing is lost that nobody but the programs knows.
func TestLayoutChanges(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	b := newBed(t, overlay.AttachVeth)
	state := stateWith("blue", "red")
	state.Tunnels = aloneTunnels()
	passes := func(network overlay.NetworkName) {
		t.Helper()
		b.passes(t, network)
		b.answers(t, state.Tunnels)
	}
	b.apply(t, state)
	b.spoof(t, "blue")
	learnt := programsStation{Port: uint32(b.devices(t)["blue-bob"]), Flags: stationLearnt, Seen: 12345}
	who := stationKey(vniOf("blue"), overlay.MAC{2, 0, 0, 0, 7, 7})
	set(t, b.programs.objects.Stations, who, learnt)

	if err := goBack(b.options, olderSpec(t)); err != nil {
		t.Fatal(err)
	}
	older := b.layouts(t)
	if len(older) != 1 || older[0] == filepath.Base(b.programs.maps()) {
		t.Fatalf("there are maps of the layouts %q", older)
	}
	passes("blue")

	next := openTested(t, b.options)
	if found := b.layouts(t); len(found) != 2 {
		t.Errorf("want the maps of both versions, got %q", found)
	}
	passes("blue") // the older programs run
	b.replace(t, next)
	held := state.Clone()
	held.Held = map[overlay.NetworkName]string{"red": "it has a field from the future"}
	delete(held.Networks, "red")
	b.apply(t, held)
	if found := b.layouts(t); len(found) != 1 || found[0] == older[0] {
		t.Errorf("there are maps of the layouts %q", found)
	}
	b.settled(t)
	passes("blue")
	passes("red")
	var got programsStation
	if err := next.objects.Stations.Lookup(who, &got); err != nil || got != learnt {
		t.Errorf("a learnt station: want %v, got %v, %v", learnt, got, err)
	}
	if drops, err := next.Drops(vniOf("blue")); err != nil || drops[overlay.DropSpoofedMAC] != 1 {
		t.Errorf("one packet was dropped, counted are %v, %v", drops, err)
	}
	b.apply(t, dataplane.State{Node: "a"})
	b.empty(t, "blue")
}

// Who is killed at any moment of a change leaves what the next can go on with.
func TestLayoutChangesAfterKill(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	b := newBed(t, overlay.AttachVeth)
	state := stateWith("blue")
	b.apply(t, state)
	spec := olderSpec(t)
	if err := goBack(b.options, spec.Copy()); err != nil {
		t.Fatal(err)
	}
	for name, kill := range map[string]func(p *Programs) error{
		"before anything": func(*Programs) error { return nil },
		"some maps only":  func(p *Programs) error { return os.Remove(filepath.Join(p.maps(), "stations")) },
		"some programs":   func(p *Programs) error { return p.attach(attachment{uint32(b.devices(t)["blue-alice"]), onPort}) },
		"all programs":    func(p *Programs) error { return p.takeOver() },
		"removal underway": func(p *Programs) error {
			return errors.Join(p.takeOver(), os.Rename(p.older[0], filepath.Join(p.dir, gonePrefix+"x")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			killed := openTested(t, b.options)
			if err := kill(killed); err != nil {
				t.Fatal(err)
			}
			b.passes(t, "blue")
			next := openTested(t, b.options)
			b.passes(t, "blue")
			b.replace(t, next)
			b.apply(t, state)
			if found := b.layouts(t); len(found) != 1 || found[0] != filepath.Base(next.maps()) {
				t.Errorf("there are maps of the layouts %q", found)
			}
			b.settled(t)
			b.passes(t, "blue")
			if err := goBack(b.options, spec.Copy()); err != nil {
				t.Fatal(err)
			}
		})
	}
}
