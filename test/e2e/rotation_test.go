package e2e

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"weft/api/identity"
	"weft/internal/testenv"
)

// TestRotation: certificates that live for seconds are renewed three times under
// traffic. Nothing is lost, and the nodes still hear of what is new.
func TestRotation(t *testing.T) {
	t.Parallel()
	s := hosts(t)
	const lifetime = 6 * time.Second
	s.weft.Env = append(s.weft.Env, fmt.Sprintf("WEFT_CERTIFICATE_LIFETIME=%s", lifetime))
	s.a.startServer()
	for _, h := range []*host{s.b, s.c} {
		h.startAgent(s.token())
	}
	s.a.weft("network create blue --subnet 10.7.0.0/24 --subnet6 fd00:7::/64")
	all := s.attachEverywhere("blue")
	s.settled()
	flowing := startTraffic(t, families[0], families[1], all)
	for range 3 {
		before := map[*host]string{}
		for _, h := range s.hosts() {
			before[h] = h.certificate()
		}
		for h, old := range before {
			testenv.Eventually(t, 3*lifetime, func() error {
				if h.certificate() == old {
					return errors.New("it is still the same")
				}
				return nil
			}, "host "+h.Name()+"'s certificate to be renewed")
		}
	}
	fresh := s.b.attachAs("fresh", "blue")
	s.pings(fresh.Namespace, all[2].address(families[0]).String())
	flowing.lostNothing()
}

// certificate is what the host's agent shows at present.
func (h *host) certificate() string {
	h.s.t.Helper()
	c, err := identity.LoadCredentials(filepath.Join(h.Dir(), "state", "node.json"))
	if err != nil {
		h.s.t.Fatal(err)
	}
	return c.Certificate
}
