package e2e

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
)

// TestRemovedNode: a node that was removed is out, although its agent runs on and its
// certificate would be good for a month: the servers refuse it, also those that
// have just been started, and the others forget it. What its host has stays. With a
// new token it is a node like any other.
func TestRemovedNode(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.a.weft("network create blue --subnet 10.7.0.0/24")
	all := s.attachEverywhere("blue")
	gateway := all[1].Gateways[0].String()
	s.settled()
	s.pings(all[0].Namespace, all[1].address(overlay.V4).String())

	s.a.weft("node rm b --force")
	s.b.isRemoved()
	s.a.forgets(all[1])
	s.c.forgets(all[1])
	s.b.try("endpoint attach blue --veth more").refused(t, 3, "node b was removed", "weftd agent --join TOKEN")
	s.b.try("--credentials %s network ls", filepath.Join(s.b.Dir(), "state", "node.json")).refused(t, 3, "node b was removed")
	s.pings(all[1].Namespace, gateway) // which b answers itself
	s.b.warnedOnce("the servers refuse this node", "join again with a token")
	s.a.warnedOnce("node b was removed")

	s.a.kill()
	s.a.restart()
	s.b.kill()
	s.b.restart()
	s.b.isRemoved()
	s.pings(all[1].Namespace, gateway)
	var nodes []overlay.Node
	s.a.read(&nodes, "node ls")
	if len(nodes) != 2 {
		t.Errorf("%d nodes, want a and c", len(nodes))
	}

	s.b.kill()
	s.b.startAgent(s.token())
	back := s.b.attachAs("back", "blue", "--ip 10.7.0.9") // whose MAC no workload has cached
	for _, w := range []*workload{all[0], all[2]} {
		s.pings(w.Namespace, back.address(overlay.V4).String())
		s.pings(back.Namespace, w.address(overlay.V4).String())
	}
	s.awaitEndpoints("blue", "back@b blue-a@a blue-c@c")
}

// isRemoved waits until the agent says that its node was removed.
func (h *host) isRemoved() {
	h.s.t.Helper()
	testenv.Eventually(h.s.t, patience, func() error {
		return saysAll(h.weft("status --local"), "node "+h.Name()+" was removed at", "what this host forwards stays as it is")
	}, "weft status says that the node was removed")
}

// forgets waits until the host no longer knows where a workload was.
func (h *host) forgets(w *workload) {
	h.s.t.Helper()
	testenv.Eventually(h.s.t, patience, func() error {
		if out := h.weft("fdb blue"); strings.Contains(out, w.Endpoint.Spec.MAC.String()) {
			return errors.New(out)
		}
		if out := h.weft("link blue -o json"); strings.Contains(out, "192.0.2.12") {
			return errors.New(out)
		}
		return nil
	}, "host "+h.Name()+" forgets "+w.name)
}

// warnedOnce fails the test unless one line of the daemon's log says all of it, as a
// warning or an error.
func (h *host) warnedOnce(words ...string) {
	h.s.t.Helper()
	text, err := h.daemon.Output()
	if err != nil {
		h.s.t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(text) {
		if saysAll(line, words...) == nil && (strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR")) {
			n++
		}
	}
	if n != 1 {
		h.s.t.Errorf("weftd on host %s warned %d times of %q, want once", h.Name(), n, words)
	}
}
