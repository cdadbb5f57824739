package ebpf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sync/errgroup"

	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/dataplane/kernel"
	"weft/internal/testenv"
	"weft/overlay"
)

// tableOf has so many entries, from a number on.
func tableOf(first, count uint32) map[uint32]uint64 {
	t := map[uint32]uint64{}
	for k := first; k < first+count; k++ {
		t[k] = uint64(k) * 3
	}
	return t
}

func newMap(t testing.TB, typ ebpf.MapType, key, room uint32) *ebpf.Map {
	t.Helper()
	testenv.NeedRoot(t)
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: typ, KeySize: key, ValueSize: 8, MaxEntries: room, Flags: noPrealloc})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

const noPrealloc = 1 // BPF_F_NO_PREALLOC

// All that is there all the time is read, by whatever way, while other entries come and go.
func TestScan(t *testing.T) {
	t.Parallel()
	m := newMap(t, ebpf.Hash, 4, 1<<14)
	stay := tableOf(0, 3000)
	if err := put(m, "test", stay, nil); err != nil {
		t.Fatal(err)
	}
	for name, scan := range map[string]func(*ebpf.Map, func(uint32, uint64)) error{
		"batches": scanBatches[uint32, uint64], "each": scanEach[uint32, uint64],
	} {
		t.Run(name, func(t *testing.T) {
			come := tableOf(1<<20, 50)
			var churn errgroup.Group
			if name == "batches" { // the other gives up, and says so
				churn.Go(func() error {
					for range 100 {
						if err := errors.Join(put(m, "test", come, nil), remove(m, "test", nil, come)); err != nil {
							return err
						}
					}
					return nil
				})
			}
			for range 20 {
				found := map[uint32]uint64{}
				if err := scan(m, func(k uint32, v uint64) { found[k] = v }); err != nil {
					t.Error(err)
				}
				for k, v := range stay {
					if found[k] != v {
						t.Fatalf("%d: want %d, got %d", k, v, found[k])
					}
				}
			}
			if err := churn.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What finds no room is counted; everything else is written, and what is there is changed.
func TestPutIntoFullMap(t *testing.T) {
	t.Parallel()
	const room = 2000
	for _, c := range []struct {
		typ ebpf.MapType
		key uint32
	}{{ebpf.Hash, 4}, {ebpf.LPMTrie, 8}} {
		t.Run(c.typ.String(), func(t *testing.T) {
			t.Parallel()
			m := newMap(t, c.typ, c.key, room)
			want := map[[2]uint32]uint64{}
			for k, v := range tableOf(1, room+5) {
				want[[2]uint32{32, k}] = v
			}
			var err error
			if c.typ == ebpf.Hash {
				err = put(m, "test", tableOf(1, room+5), nil)
			} else {
				err = put(m, "test", want, nil)
			}
			full := new(FullError)
			if !errors.As(err, &full) || full.Missing != 5 || full.Room != room {
				t.Errorf("want 5 of %d missing, got %v", room, err)
			}
		})
	}
}

// A map that is full takes what it has room for when something else has gone.
func TestWriteMakesRoom(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	p := b.programs
	remotes := func(first byte) dataplane.Network {
		n, _ := someNetwork(overlay.Bridged, 4097)
		n.Remotes = map[overlay.MAC]overlay.NodeName{}
		for i := range room * 3 / 4 {
			n.Remotes[overlay.MAC{2, first, 0, 0, 0, byte(i)}] = "b"
		}
		return n
	}
	_, on := someNetwork(overlay.Bridged, 4097)
	one, other, both := Lower(remotes(1), on, nil), Lower(remotes(2), on, nil), Lower(remotes(1), on, nil)
	for k, v := range other.stations {
		both.stations[k] = v
	}
	if err := p.write(one, newTables()); err != nil {
		t.Fatal(err)
	}
	if err := p.write(other, one); err != nil {
		t.Errorf("it has room for one and for the other: %v", err)
	}
	full := new(FullError)
	if err := p.write(both, other); !errors.As(err, &full) || full.Map != "stations" || full.Missing != len(both.stations)-room {
		t.Errorf("it has no room for both: %v", err)
	} else if !strings.Contains(err.Error(), "map stations is full") {
		t.Error(err)
	}
}

// A pass reads once, and knows what it has changed itself.
func TestPass(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	b.apply(t, stateWith("blue"))
	n := stateWith("blue").Networks["blue"]
	n.Ports = nil
	on := kernel.ProgramLinks{Gateway: uint32(b.devices(t)[gatewayDevice("blue")])}
	pass := b.programs.Pass()
	wrong := func(p kernel.ProgramPass) string {
		t.Helper()
		lines, err := p.Differs(n, on)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(lines)
	}
	if wrong(pass) == "[]" {
		t.Fatal("a network without its ports is as wanted")
	}
	if err := pass.Forward(n, on); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]kernel.ProgramPass{"this pass": pass, "the next": b.programs.Pass()} {
		if lines := wrong(p); lines != "[]" {
			t.Errorf("%s finds %s after it was changed", name, lines)
		}
	}
	deleteAny(neighbors)(t, b)
	if lines := wrong(pass); lines != "[]" {
		t.Errorf("the pass has read again: %s", lines)
	}
	if lines := wrong(b.programs.Pass()); !strings.Contains(lines, "map neighbors") {
		t.Errorf("the next one finds %s", lines)
	}
}

// A network that is too large forwards what it has room for, and says so until it has room.
func TestFullMap(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	state := stateWith("blue")
	large := state.Clone()
	for i := range 2 * room {
		large.Networks["blue"].Remotes[overlay.MAC{2, 9, 0, 0, byte(i >> 8), byte(i)}] = "b"
	}
	b.apply(t, large)
	if seen := strings.Join(differs(t, b.Plane), "\n"); !strings.Contains(seen, "map stations is full") {
		t.Errorf("want a full map to be seen, got %q", seen)
	}
	s := stream{b: b, name: "blue"}
	if err := b.Inject(placeOf("blue", alice), s.frame(alice, bob)); err != nil {
		t.Error(err)
	}
	got, err := b.Deliveries()
	if err != nil || !slices.ContainsFunc(got, func(d dataplanetest.Delivery) bool {
		_, ok := number(d.Bytes)
		return ok && d.At == placeOf("blue", bob)
	}) {
		t.Errorf("nothing passes between ports: %v, %v", got, err)
	}
	b.apply(t, state)
	b.settled(t)
	b.passes(t, "blue")
}
