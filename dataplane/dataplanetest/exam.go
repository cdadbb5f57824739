package dataplanetest

import (
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"

	"weft/dataplane"
	"weft/encap"
	"weft/overlay"
)

// bench is a harness and what was last done with it.
type bench struct {
	h    Harness
	last dataplane.State // applied
	// drops are the counters as they were read last; nil: not since an Apply.
	drops map[overlay.DropReason]uint64
}

// examine runs one case, and returns what is wrong.
func (b *bench) examine(w world, c testCase) []error {
	x := &exam{world: w, bench: b}
	if c.in&fresh != 0 && w.kind == overlay.Routed && !x.apply(dataplane.State{Node: here}) {
		return x.errs
	}
	if x.apply(w.base()) {
		c.run(x)
	}
	return x.errs
}

// exam is one case in one world.
type exam struct {
	world
	*bench
	errs []error
	// fragments are how many there were.
	fragments int
}

// wrong notes an error with the line of the case that found it.
func (x *exam) wrong(format string, args ...any) {
	where := "?"
	var callers [8]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for {
		f, more := frames.Next()
		if base := filepath.Base(f.File); base != "exam.go" || !more {
			where = fmt.Sprintf("%s:%d", base, f.Line)
			break
		}
	}
	x.errs = append(x.errs, fmt.Errorf(where+": "+format, args...))
}

// apply has the plane make the host match s, without telling it what changed.
func (x *exam) apply(s dataplane.State) bool { return x.applied(s, false) }

// change is apply with the Delta from the State before.
func (x *exam) change(s dataplane.State) bool { return x.applied(s, true) }

func (x *exam) applied(s dataplane.State, tell bool) bool {
	s.Generation = x.last.Generation + 1
	var since *dataplane.Delta
	if tell {
		d := dataplane.Between(x.last, s)
		since = &d
	}
	if err := x.h.Apply(s, since); err != nil {
		x.wrong("apply: %v", err)
		return false
	}
	x.last, x.drops = s, nil
	// What a new port says for itself is nobody's delivery.
	if _, err := x.h.Deliveries(); err != nil {
		x.wrong("collect deliveries: %v", err)
		return false
	}
	return true
}

// send puts a frame in and wants exactly these deliveries, and no drop.
func (x *exam) send(at Place, frame []byte, want ...Delivery) {
	x.expect(at, frame, "", want)
}

// drop puts a frame in and wants it dropped for that reason, with these deliveries
// all the same.
func (x *exam) drop(at Place, frame []byte, why overlay.DropReason, want ...Delivery) {
	x.expect(at, frame, why, want)
}

func (x *exam) expect(at Place, frame []byte, why overlay.DropReason, want []Delivery) {
	before, err := x.counters()
	if err != nil {
		x.wrong("read drop counters: %v", err)
		return
	}
	if err := x.h.Inject(at, frame); err != nil {
		x.wrong("inject at %s: %v", at, err)
		return
	}
	got, err := x.h.Deliveries()
	if err != nil {
		x.wrong("collect deliveries: %v", err)
		return
	}
	in := describe(Delivery{At: at, Bytes: frame})
	if diff := compare(want, got); diff != "" {
		x.wrong("in %s\n%s", in, diff)
	}
	x.drops = nil
	after, err := x.counters()
	if err != nil {
		x.wrong("read drop counters: %v", err)
		return
	}
	if diff := compareDrops(before, after, why, x.h.Untold()); diff != "" {
		x.wrong("in %s\n%s", in, diff)
	}
}

// counters reads the drop counters, which may cost a plane much, if need be.
func (b *bench) counters() (map[overlay.DropReason]uint64, error) {
	if b.drops != nil {
		return b.drops, nil
	}
	drops, err := b.h.Drops()
	b.drops = drops
	return drops, err
}

// compareDrops says in what the counters differ from one more drop for that reason,
// or from none.
func compareDrops(before, after map[overlay.DropReason]uint64, why overlay.DropReason, untold []overlay.DropReason) string {
	diff := ""
	for _, reason := range overlay.DropReasons() {
		if slices.Contains(untold, reason) {
			continue
		}
		want := before[reason]
		if reason == why {
			want++
		}
		if after[reason] != want {
			diff += fmt.Sprintf("dropped  %d for %s, want %d\n", after[reason]-before[reason], reason, want-before[reason])
		}
	}
	return diff
}

// at is a delivery to a local host.
func (x *exam) at(h host, bytes []byte, free ...Freedom) Delivery {
	return Delivery{At: h.place(), Bytes: bytes, Freedom: union(free)}
}

// to is the delivery of a frame to another node, on h's network.
func (x *exam) to(n overlay.NodeName, h host, inner []byte, free ...Freedom) Delivery {
	return Delivery{
		At: Underlay, Via: x.vtep(n), Freedom: Tunnelled | union(free),
		Bytes: wrap(x.encapsulation, x.kind, encap.Outer{
			Src: x.vtep(here), Dst: x.vtep(n), SrcPort: 0xc000, DstPort: x.encapsulation.DefaultPort(), VNI: vniOf(h.network),
		}, inner),
	}
}

// from is the packet in which another node sends a frame here, on a network.
func (x *exam) from(n overlay.NodeName, name overlay.NetworkName, inner []byte) []byte {
	return x.fromPort(n, x.encapsulation.DefaultPort(), vniOf(name), inner)
}

func (x *exam) fromPort(n overlay.NodeName, port uint16, vni overlay.VNI, inner []byte) []byte {
	return wrap(x.encapsulation, x.kind, encap.Outer{Src: x.vtep(n), Dst: x.vtep(here), DstPort: port, VNI: vni}, inner)
}

func union(free []Freedom) Freedom {
	var all Freedom
	for _, f := range free {
		all |= f
	}
	return all
}

// edited is the State applied last with a change in the blue network. Its
// collections are the case's own.
func (x *exam) edited(change func(n *dataplane.Network)) dataplane.State {
	s := x.last
	s.Networks = maps.Clone(s.Networks)
	n := s.Networks[blue]
	n.Ports, n.Members = maps.Clone(n.Ports), maps.Clone(n.Members)
	n.Remotes, n.Neighbors, n.Routes = maps.Clone(n.Remotes), maps.Clone(n.Neighbors), maps.Clone(n.Routes)
	change(&n)
	s.Networks[blue] = n
	return s
}
