package dataplanetest

import (
	"maps"
	"slices"
	"time"

	"weft/dataplane"
	"weft/overlay"
	"weft/packet"
)

func stormCases() []testCase {
	return []testCase{
		{"a storm stays on the node", bridged, stormStays},
	}
}

const (
	stormBatch    = 200              // frames between two looks at what has come out
	stormPatience = 30 * time.Second // to get more in than the rate lets out
	// stormSlack is how many packets a plane may let out beyond its rate: its clock may be as
	// coarse as a tick of the kernel's, and CPUs may meet at a bucket.
	stormSlack = 20
)

// storm is a frame that somebody sends again and again, and what has become of it.
type storm struct {
	*exam
	frame []byte
	begin time.Time
	in    int
	out   map[Place]map[overlay.NodeName]int // to ports, and at the underlay to nodes
}

// stormStays: a port sends broadcasts as fast as it goes, until there are clearly more than may
// have left. The ports here get all; the members each get the burst, and what the rate lets
// out in the time that it took. Other ports have a rate of their own.
func stormStays(x *exam) {
	s, ok := x.storm()
	if !ok {
		return
	}
	before, err := x.counters()
	if err != nil {
		x.wrong("read drop counters: %v", err)
		return
	}
	if !s.blow() {
		return
	}
	stayed, left := s.out[x.bob().place()][""], s.out[Underlay][nodeB]
	if stayed != s.in {
		x.wrong("of %d broadcasts %d stayed here, want all", s.in, stayed)
	}
	if most := s.mayLeave(); left < dataplane.StormBurst || left > most || s.out[Underlay][nodeC] != left {
		x.wrong("of %d broadcasts these left: %v, want at least %d and at most %d to each", s.in, s.out[Underlay], dataplane.StormBurst, most)
	}
	x.drops = nil
	after, err := x.counters()
	if err != nil {
		x.wrong("read drop counters: %v", err)
		return
	}
	before = maps.Clone(before)
	before[overlay.DropStorm] += uint64(s.in - left - 1)
	if diff := compareDrops(before, after, overlay.DropStorm, x.h.Untold()); diff != "" {
		x.wrong("of %d broadcasts %d left\n%s", s.in, left, diff)
	}
	x.calm()
	x.apply(dataplane.State{Node: here}) // for the cases to come, too
}

// calm: what others say to all gets through all the same, and what the port says to one.
func (x *exam) calm() {
	a, b, c := x.alice(), x.bob(), x.carol()
	shout := ethernet(b.mac, packet.Broadcast, typeLocal, data)
	x.send(b.place(), shout, x.at(a, shout), x.to(nodeB, b, shout), x.to(nodeC, b, shout))
	x.send(a.place(), ping(x.sent(a, c)), x.to(c.node, a, ping(x.sent(a, c))))
}

// storm is one of alice's, from whom nothing was heard before.
func (x *exam) storm() (*storm, bool) {
	s := &storm{exam: x, frame: x.shout(), out: map[Place]map[overlay.NodeName]int{}}
	ok := x.apply(dataplane.State{Node: here}) && x.apply(x.base())
	s.begin = time.Now()
	return s, ok
}

// mayLeave is how many broadcasts may have left by now.
func (s *storm) mayLeave() int {
	return dataplane.StormBurst + stormSlack + int(time.Since(s.begin)*dataplane.StormRate/time.Second)
}

// blow sends more than may leave.
func (s *storm) blow() bool {
	for s.in < s.mayLeave()+stormBatch {
		if time.Since(s.begin) > stormPatience {
			s.wrong("%d frames in %s are no storm", s.in, stormPatience)
			return false
		}
		if !s.gust() {
			return false
		}
	}
	return true
}

// gust sends some frames, and sorts what has come out.
func (s *storm) gust() bool {
	for range stormBatch {
		if err := s.h.Inject(s.alice().place(), s.frame); err != nil {
			s.wrong("inject: %v", err)
			return false
		}
	}
	s.in += stormBatch
	got, err := s.h.Deliveries()
	if err != nil {
		s.wrong("collect deliveries: %v", err)
		return false
	}
	want := []Delivery{s.at(s.bob(), s.frame), s.to(nodeB, s.alice(), s.frame), s.to(nodeC, s.alice(), s.frame)}
	nodes := []overlay.NodeName{"", nodeB, nodeC}
	for _, d := range slices.DeleteFunc(got, unasked) {
		i := slices.IndexFunc(want, func(w Delivery) bool { return same(w, d) })
		if i < 0 {
			s.wrong("unwanted %s", describe(d))
			return false
		}
		if s.out[d.At] == nil {
			s.out[d.At] = map[overlay.NodeName]int{}
		}
		s.out[d.At][nodes[i]]++
	}
	return true
}
