package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"weft/internal/testenv"
	"weft/lab"
)

// session is somebody's work on the three hosts.
type session struct {
	t    *testing.T
	lab  *lab.Lab
	weft *lab.Weft
	// a has the server; b is on a's segment, c behind the router.
	a, b, c *host
}

// patience is how long something may take that takes a moment: far longer than
// it does, for a machine that does much else.
const patience = 10 * time.Second

// begin starts Weft on the three hosts.
func begin(t *testing.T, changes ...func(*lab.Topology)) *session {
	t.Helper()
	s := hosts(t, changes...)
	s.a.startServer()
	for _, h := range []*host{s.b, s.c} {
		h.startAgent(s.token())
	}
	return s
}

// hosts makes the hosts, on an underlay that may be changed, with Docker's firewall on
// each and nothing of Weft.
func hosts(t *testing.T, changes ...func(*lab.Topology)) *session {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, "ip", "bridge", "ping", "iptables", "ip6tables")
	topology := lab.Demo(testenv.Name(t, "e2e"))
	for _, change := range changes {
		change(&topology)
	}
	l, err := lab.Build(t.Context(), topology)
	if err != nil {
		t.Fatal(err)
	}
	s := &session{t: t, lab: l, weft: l.Weft(bin)}
	t.Cleanup(s.end)
	for _, h := range []struct {
		at   **host
		name string
	}{{&s.a, "a"}, {&s.b, "b"}, {&s.c, "c"}} {
		*h.at = &host{Host: l.Host(h.name), s: s}
		if err := (*h.at).LikeDocker(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *session) hosts() []*host { return []*host{s.a, s.b, s.c} }

// end removes the lab, and first shows what the daemons said if the test failed.
func (s *session) end() {
	if s.t.Failed() {
		for _, h := range s.hosts() {
			h.showLog()
		}
	}
	if err := s.lab.Close(context.Background()); err != nil {
		s.t.Error(err)
	}
}

// token is one that a's administrator makes.
func (s *session) token(flags ...string) string {
	s.t.Helper()
	return strings.TrimSpace(s.a.weft("token create %s", strings.Join(flags, " ")))
}
