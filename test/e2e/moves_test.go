package e2e

import (
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"weft/internal/testenv"
	"weft/overlay"
)

// TestMovesLeaveNothing: endpoints move from host to host, many times, in both kinds of
// networks at once, and in the end everything is as before they came.
func TestMovesLeaveNothing(t *testing.T) {
	t.Parallel()
	s := begin(t)
	for i, kind := range kinds {
		s.a.weft("network create %s --kind %s --subnet 10.%d.0.0/16 --subnet6 fd00:%d::/48", kind, kind, i, i)
		s.attachEverywhere(string(kind))
	}
	s.settled()
	before := s.picture()
	const movers = 4
	var g errgroup.Group
	for i := range movers {
		m := mover{s: s, network: string(kinds[i%len(kinds)]), name: fmt.Sprintf("mover%d", i)}
		m.flags = fmt.Sprintf("--name %s --mac 02:00:00:00:01:%02d", m.name, i)
		if kinds[i%len(kinds)] == overlay.Bridged { // elsewhere the address is the host's
			m.flags += fmt.Sprintf(" --ip 10.0.1.%d,fd00:0:0:1::%d", i+1, i+1)
		}
		for _, h := range s.hosts() {
			m.places = append(m.places, nameOf(h.namespace(m.name)))
		}
		g.Go(func() error { return m.move(testenv.Rounds(200, 1000) / movers) })
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	s.becomes(before)
}

// mover is an endpoint that is on one host after the other.
type mover struct {
	s                    *session
	network, name, flags string
	// places are its namespaces on the hosts.
	places []string
}

func (m mover) move(times int) error {
	for i := range times {
		h := m.s.hosts()[i%len(m.places)]
		for _, command := range []string{
			fmt.Sprintf("endpoint attach %s --netns %s %s", m.network, m.places[i%len(m.places)], m.flags),
			fmt.Sprintf("endpoint detach %s/%s", m.network, m.name),
		} {
			if did := h.try("%s", command); did.code != 0 {
				return fmt.Errorf("move %d: %v", i, did)
			}
		}
	}
	return nil
}
