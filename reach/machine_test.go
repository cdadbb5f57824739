package reach

import (
	"errors"
	"strings"
	"testing"
	"time"

	"weft/overlay"
)

// A word of +, answered, and -, missed, a second apart, leads to a state.
func TestMachine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		word  string
		state overlay.TunnelState
		down  bool
		why   string
	}{
		{"", overlay.TunnelUp, false, ""},
		{"+++", overlay.TunnelUp, false, ""},
		{"--", overlay.TunnelUp, false, ""},
		{"--+--+--", overlay.TunnelUp, false, ""}, // never three in a row
		{"---", overlay.TunnelDown, true, "10.1.1.2 does not answer: silence"},
		{"---++", overlay.TunnelDown, true, "10.1.1.2 does not answer"},
		{"---++-++", overlay.TunnelDown, true, "10.1.1.2 does not answer"},
		{"---+++", overlay.TunnelUp, false, ""},
		{"---+++---+++---", overlay.TunnelFlapping, true, "it changed 5 times within 1m0s, and does not answer now"},
		{"---+++---+++---+++", overlay.TunnelFlapping, false, "it changed 6 times within 1m0s, and answers now"},
		{"---+++---+++---+++" + strings.Repeat("+", 61), overlay.TunnelUp, false, ""},
		{"---+++---+++---" + strings.Repeat("-", 61), overlay.TunnelDown, true, "10.1.1.2 does not answer: silence"},
	} {
		now := time.Unix(1000, 0)
		m := newMachine(overlay.KeepAlive{Target: addr("10.1.1.2"), Misses: 3}, false, now)
		for _, c := range tt.word {
			now = now.Add(time.Second)
			if c == '+' {
				m.answered(time.Millisecond, now)
			} else {
				m.missed(errors.New("silence"), now)
			}
		}
		if s := m.status(); s.State != tt.state || s.Down != tt.down || s.Why != tt.why {
			t.Errorf("%q: %s, down %t, %q; want %s, %t, %q", tt.word, s.State, s.Down, s.Why, tt.state, tt.down, tt.why)
		}
	}
}

// Since is when the state became what it is.
func TestMachineSince(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1000, 0)
	m := newMachine(overlay.KeepAlive{Misses: 2}, false, begin)
	for i := range 5 {
		m.missed(nil, begin.Add(time.Duration(i)*time.Second))
	}
	if s := m.status(); s.Since != begin.Add(time.Second) {
		t.Errorf("down since %s, want the second miss", s.Since)
	}
}
