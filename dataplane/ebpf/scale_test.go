package ebpf

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/internal/testenv"
	"weft/overlay"
)

// many are the remote endpoints that a node has to bear.
const many = 100000

// manyRemotes is a bridged network with so many remote endpoints, each with an address.
func manyRemotes(count int) (dataplane.Network, kernel.ProgramLinks) {
	n, on := someNetwork(overlay.Bridged, 4097)
	n.Remotes, n.Neighbors = map[overlay.MAC]overlay.NodeName{}, map[netip.Addr]overlay.MAC{}
	for i := range uint32(count) {
		mac := overlay.MAC{2, 1}
		binary.BigEndian.PutUint32(mac[2:], i)
		ip := netip.AddrFrom4([4]byte{10, 16 + byte(i>>16), byte(i >> 8), byte(i)})
		n.Remotes[mac], n.Neighbors[ip] = "b", mac
	}
	return n, on
}

// fullSize are the programs with maps as large as they are.
func fullSize(b *testing.B) *Programs {
	b.Helper()
	testenv.NeedRoot(b)
	o := Options{Dir: b.TempDir(), Host: "/proc/self/ns/net"}
	p, err := Open(o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.Close(); err != nil {
			b.Error(err)
		}
		if err := Remove(o.Dir, o.Host); err != nil {
			b.Error(err)
		}
	})
	return p
}

// BenchmarkLoad has a network with 100,000 remote endpoints come and go.
func BenchmarkLoad(b *testing.B) {
	p := fullSize(b)
	n, on := manyRemotes(many)
	b.Run("lower and write", func(b *testing.B) {
		for b.Loop() {
			want := Lower(n, on, p.counters)
			if err := p.write(want, newTables()); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := p.write(newTables(), want); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	if err := p.write(Lower(n, on, p.counters), newTables()); err != nil {
		b.Fatal(err)
	}
	b.Run("compare", func(b *testing.B) {
		for b.Loop() {
			if lines, err := p.Pass().Differs(n, on); err != nil || len(lines) == 0 {
				b.Fatalf("%q, %v", lines, err) // no program runs
			}
		}
	})
	b.Run("update one", func(b *testing.B) {
		benchmarkUpdate(b, p, n, on)
	})
}

// benchmarkUpdate moves one remote endpoint from node to node.
func benchmarkUpdate(b *testing.B, p *Programs, n dataplane.Network, on kernel.ProgramLinks) {
	n.Members = maps.Clone(n.Members)
	n.Members["c"] = dataplane.Member{VTEP: netip.AddrFrom4([4]byte{192, 0, 2, 3}), VTEPMAC: overlay.VTEPMACFor("c")}
	who, next := overlay.MAC{2, 1}, n
	next.Remotes = maps.Clone(n.Remotes)
	next.Remotes[who] = "c"
	change := func(to overlay.NodeName) dataplane.NetworkDelta {
		return dataplane.NetworkDelta{Remotes: dataplane.Changes[overlay.MAC, overlay.NodeName]{Set: map[overlay.MAC]overlay.NodeName{who: to}}}
	}
	there, back := change("c"), change("b")
	for b.Loop() {
		if err := p.Change(n, next, there, on); err != nil {
			b.Fatal(err)
		}
		n, next, there, back = next, n, back, there
	}
}

// BenchmarkMapMemory says what the maps take: as they are, with nothing in them, and as they
// would if their entries were there from the beginning.
func BenchmarkMapMemory(b *testing.B) {
	testenv.NeedRoot(b)
	for name, flags := range map[string]uint32{"as needed": noPrealloc, "preallocated": 0} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(float64(memoryOf(b, flags))/(1<<20), "MiB")
			}
		})
	}
}

// memoryOf makes the maps, those of hash tables with these flags.
func memoryOf(b *testing.B, flags uint32) (sum uint64) {
	spec, err := loadPrograms()
	if err != nil {
		b.Fatal(err)
	}
	for name, m := range spec.Maps {
		if m.Type == ebpf.Hash || m.Type == ebpf.PerCPUHash {
			m.Flags = flags
		}
		made, err := ebpf.NewMap(m)
		if err != nil {
			b.Fatal(err)
		}
		info, err := made.Info()
		if err != nil {
			b.Fatal(err)
		}
		size, _ := info.Memlock()
		sum += size
		b.Logf("%s: %.1f MiB", name, float64(size)/(1<<20))
		if err := made.Close(); err != nil {
			b.Fatal(err)
		}
	}
	return sum
}

// BenchmarkEntries compares entries that are there from the beginning with those that are made
// as needed, in a map as that of the stations with 100,000 of them.
func BenchmarkEntries(b *testing.B) {
	testenv.NeedRoot(b)
	spec, err := loadPrograms()
	if err != nil {
		b.Fatal(err)
	}
	n, on := manyRemotes(many)
	want := Lower(n, on, nil).stations
	for name, flags := range map[string]uint32{"as needed": noPrealloc, "preallocated": 0} {
		b.Run(name, func(b *testing.B) {
			m := spec.Maps["stations"].Copy()
			m.Flags = flags
			made, err := ebpf.NewMap(m)
			if err != nil {
				b.Fatal(err)
			}
			defer made.Close()
			b.Run("insert 100000", func(b *testing.B) {
				for b.Loop() {
					if err := put(made, "stations", want, nil); err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					if err := remove(made, "stations", nil, want); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			})
			if err := put(made, "stations", want, nil); err != nil {
				b.Fatal(err)
			}
			b.Run("lookup", func(b *testing.B) { benchmarkLookup(b, made) })
		})
	}
}

// benchmarkLookup has a program look stations up, all in turn, 1,000,000 times.
func benchmarkLookup(b *testing.B, m *ebpf.Map) {
	const runs, each = 1000, 1000
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "Dual BSD/GPL", Instructions: lookUp(m, each)})
	if err != nil {
		b.Fatal(err)
	}
	defer program.Close()
	for b.Loop() {
		answer, took, err := program.Benchmark(make([]byte, 64), runs, nil)
		if err != nil || answer == 0 {
			b.Fatalf("found %d, %v", answer, err)
		}
		b.ReportMetric(float64(took.Nanoseconds())/each, "ns/lookup")
	}
}

// lookUp looks so many stations up, at random, and answers how many there were.
func lookUp(m *ebpf.Map, each int32) asm.Instructions {
	const count, found, key = asm.R6, asm.R7, -12
	return asm.Instructions{
		asm.Mov.Imm(count, each),
		asm.Mov.Imm(found, 0),
		asm.StoreImm(asm.RFP, key, 4097, asm.Word),
		asm.StoreImm(asm.RFP, key+8, 0, asm.Word),
		asm.FnGetPrandomU32.Call().WithSymbol("again"),
		asm.Mod.Imm(asm.R0, many),
		asm.HostTo(asm.BE, asm.R0, asm.Word),
		asm.StoreImm(asm.RFP, key+4, 0x0102, asm.Half),
		asm.StoreMem(asm.RFP, key+6, asm.R0, asm.Half),
		asm.RSh.Imm(asm.R0, 16),
		asm.StoreMem(asm.RFP, key+8, asm.R0, asm.Half),
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, key),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "missing"),
		asm.Add.Imm(found, 1),
		asm.Sub.Imm(count, 1).WithSymbol("missing"),
		asm.JNE.Imm(count, 0, "again"),
		asm.Mov.Reg(asm.R0, found),
		asm.Return(),
	}
}
