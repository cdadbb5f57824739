package e2e

import (
	"errors"
	"path/filepath"
	"regexp"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
)

// TestMigratePlane: networks of both kinds on a host go to the other plane and back, under
// traffic on the host and with others, on the one plane and on the other, over both
// families: streams stay, and packets arrive. It runs by itself: other tests would take it
// the processor at which packets are counted.
func TestMigratePlane(t *testing.T) {
	s := begin(t)
	var flowing []*traffic
	for i, kind := range kinds {
		name := string(kind)
		s.a.weft("network create %s --kind %s --subnet 10.%d.0.0/16 --subnet6 fd00:%d::/48", name, kind, i, i)
		all := []*workload{s.a.attach(name), s.a.attachAs(name+"-near", name), s.b.attach(name), s.c.attach(name)}
		s.settled()
		s.c.weft("node migrate-plane c %s --to kernel", name)
		flowing = append(flowing, startTraffic(t, families[i], families[1-i], all))
	}
	rounds := testenv.Rounds(2, 20)
	for range rounds {
		for _, plane := range planes {
			said := s.a.weft("node migrate-plane a --to %s", plane)
			for _, kind := range kinds {
				if err := errors.Join(s.a.isOn(string(kind), plane), saysAll(said, string(kind)+": on "+string(plane), "after")); err != nil {
					t.Error(err)
				}
			}
		}
	}
	for _, tr := range flowing {
		tr.lostAtMost(uint64(2 * rounds * perMigration))
	}
}

// perMigration is how many packets of a flow may be lost, at 1,000 per second: none is, but
// for those that meet the programs between two writes to their maps, when the agent is kept from
// the processor in between.
const perMigration = 2

// TestMigrationIsKilled: an agent is killed in the middle of a migration, wherever that is.
// Started again, it brings it to its end, also back to where it came from; streams stay, and nothing
// is left over.
func TestMigrationIsKilled(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.a.weft("network create blue --subnet 10.7.0.0/24 --subnet6 fd00:7::/64")
	all := s.attachEverywhere("blue")
	s.settled()
	tr := startTraffic(t, overlay.V4, overlay.V6, all)
	domain := filepath.Join(s.b.Dir(), "run", "netns", "weft-blue")
	workload := func() bool { return s.has(all[1].Path(), standIn) }
	for _, tt := range []struct {
		to overlay.PlaneName
		// moment is when it is killed, if not at the end.
		moment func() bool
		// back: it goes back to where it came from.
		back bool
	}{
		{overlay.PlaneKernel, workload, false},
		{overlay.PlaneEBPF, workload, true},
		{overlay.PlaneEBPF, func() bool { return !s.has(domain, tunnel) }, false},
		{overlay.PlaneKernel, func() bool { return s.has(domain, tunnel) }, true},
		{overlay.PlaneKernel, func() bool { return !s.has(s.b.Path(), port) }, false},
		{overlay.PlaneEBPF, func() bool { return s.has(s.b.Path(), port) }, false},
	} {
		other := map[overlay.PlaneName]overlay.PlaneName{overlay.PlaneEBPF: overlay.PlaneKernel, overlay.PlaneKernel: overlay.PlaneEBPF}
		done := make(chan outcome, 1)
		go func() { done <- s.a.try("node migrate-plane b --to %s --wait 5s", tt.to) }()
		testenv.Eventually(t, patience, func() error {
			if !tt.moment() && len(done) == 0 {
				return errors.New("not yet")
			}
			return nil
		}, "the moment comes")
		s.b.kill()
		to := tt.to
		if tt.back {
			to = other[to]
			s.a.weft("node migrate-plane b --to %s", to) // which was not reported otherwise
		}
		s.b.restart()
		<-done
		testenv.Eventually(t, patience, func() error { return s.b.isOn("blue", to) }, "blue is on plane "+string(to))
		network{t, overlay.Bridged, 0, all}.reachesAll()
		if s.has(all[1].Path(), standIn) || s.has(s.b.Path(), standIn) {
			t.Errorf("to %s: a stand-in is left over", to)
		}
	}
	tr.stays()
}

// Links by their names: a port's, its stand-in, a tunnel device in a domain.
var (
	port    = regexp.MustCompile(`(?m)^wf[0-9a-f]{10}\b`)
	standIn = regexp.MustCompile(`(?m)^wt[0-9a-f]{10}\b`)
	tunnel  = regexp.MustCompile(`(?m)^vx0\b`)
)

// has reports whether a namespace has a link with such a name.
func (s *session) has(path string, name *regexp.Regexp) bool {
	s.t.Helper()
	return name.MatchString(testenv.Output(s.t, path, "ip", "-br", "link"))
}
