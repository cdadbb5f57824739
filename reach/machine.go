package reach

import (
	"fmt"
	"time"

	"weft/overlay"
)

// A tunnel flaps that has changed so often within so long.
const (
	flapChanges = 5
	flapWithin  = time.Minute
)

// machine decides whether a peer is up, from answers and misses in a row.
type machine struct {
	needs overlay.KeepAlive
	down  bool
	// row counts answers while down, and misses while up.
	row int
	// changes are the latest, oldest first.
	changes []time.Time
	since   time.Time
	state   overlay.TunnelState
	last    error
	trip    time.Duration
}

func newMachine(k overlay.KeepAlive, down bool, now time.Time) *machine {
	m := &machine{needs: k, down: down, state: overlay.TunnelUp, since: now}
	m.settle(now)
	return m
}

// answered takes in an answer.
func (m *machine) answered(trip time.Duration, now time.Time) {
	m.trip, m.last = trip, nil
	m.count(m.down, now)
}

// missed takes in that there was none in time, and why.
func (m *machine) missed(err error, now time.Time) {
	m.last = err
	m.count(!m.down, now)
}

// count counts what speaks for a change; anything else begins the row anew.
func (m *machine) count(speaks bool, now time.Time) {
	if !speaks {
		m.row = 0
	} else if m.row++; m.row >= m.needs.Misses {
		m.down, m.row = !m.down, 0
		m.changes = append(m.changes, now)
	}
	m.settle(now)
}

// settle forgets old changes and says what the state is.
func (m *machine) settle(now time.Time) {
	for len(m.changes) > 0 && now.Sub(m.changes[0]) > flapWithin {
		m.changes = m.changes[1:]
	}
	state := overlay.TunnelUp
	switch {
	case len(m.changes) >= flapChanges:
		state = overlay.TunnelFlapping
	case m.down:
		state = overlay.TunnelDown
	}
	if state != m.state {
		m.state, m.since = state, now
	}
}

// status is what the machine says.
func (m *machine) status() Status {
	s := Status{TunnelPath: overlay.TunnelPath{Down: m.down}, State: m.state, Since: m.since, RoundTrip: m.trip}
	switch {
	case m.state == overlay.TunnelFlapping:
		s.Why = fmt.Sprintf("it changed %d times within %s, and %s now", len(m.changes), flapWithin, map[bool]string{true: "does not answer", false: "answers"}[m.down])
	case m.down:
		s.Why = fmt.Sprintf("%s does not answer", m.needs.Target)
		if m.last != nil {
			s.Why += ": " + m.last.Error()
		}
	}
	return s
}
