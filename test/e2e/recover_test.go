package e2e

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
	"weft/store"
)

// TestWipedStore: the embedded etcd is lost while traffic flows. Nothing of that is
// lost, nobody gets an address until somebody decides, and then the nodes put back all
// that they had.
func TestWipedStore(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.a.weft("network create blue --subnet 10.7.0.0/24 --subnet6 fd07::/64")
	s.a.weft("network create green --kind routed --subnet 10.8.0.0/16")
	all := s.attachEverywhere("blue")
	routed := s.attachEverywhere("green")
	s.settled()
	before := s.picture()
	s.noted(append(all, routed...)...)
	flowing := startTraffic(t, overlay.V4, overlay.V6, all)

	s.a.kill()
	if err := os.RemoveAll(s.a.etcdFolder()); err != nil {
		t.Fatal(err)
	}
	s.a.restart()
	s.held("the store was wiped or replaced")

	s.a.weft("store recover --from-nodes")
	s.followed()
	s.disjoint("blue", all)
	s.disjoint("green", routed)
	for _, w := range append(all, routed...) {
		s.unchanged(w)
	}
	s.c.weft("endpoint detach blue/blue-late")
	s.c.weft("endpoint detach green/green-late")
	s.settled()
	flowing.lostNothing()
	s.becomes(before)
}

// TestRestoredStore: the same with an older copy of the etcd, in which an endpoint still
// is that is no more, and another is not yet.
func TestRestoredStore(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.a.weft("network create blue --subnet 10.7.0.0/24")
	first := []*workload{s.b.attach("blue"), s.c.attach("blue")}
	gone := s.b.attachAs("gone", "blue")
	s.a.kill()
	copied := filepath.Join(t.TempDir(), "copy")
	if out, err := exec.Command("cp", "-a", s.a.etcdFolder(), copied).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.a.restart()
	s.settled()
	s.b.weft("endpoint detach blue/gone")
	heir := s.c.attachAs("heir", "blue", "--ip", gone.address(overlay.V4).String())
	s.settled()
	all := append(first, heir)
	s.noted(all...)
	flowing := startTraffic(t, overlay.V4, overlay.V4, all)

	s.a.kill()
	if err := os.RemoveAll(s.a.etcdFolder()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(copied, s.a.etcdFolder()); err != nil {
		t.Fatal(err)
	}
	s.a.restart()
	s.held("the store was restored from an older copy")

	s.a.weft("store recover --from-nodes")
	s.followed()
	s.disjoint("blue", all)
	for _, w := range all {
		s.unchanged(w)
	}
	s.a.try("endpoint show blue/gone").refused(t, 4)
	s.settled()
	flowing.lostNothing()
}

func (h *host) etcdFolder() string { return filepath.Join(h.Dir(), "state", "etcd") }

// noted waits until every host has written down what it knows of its networks: from
// that it goes on when it is restarted beside a server that knows nothing.
func (s *session) noted(all ...*workload) {
	s.t.Helper()
	for _, h := range s.hosts() {
		testenv.Eventually(s.t, patience, func() error {
			var networks []overlay.NetworkName
			for _, w := range all {
				if w.host == h {
					networks = append(networks, w.Endpoint.Network)
				}
			}
			text, err := os.ReadFile(filepath.Join(h.Dir(), "state", "cache.json"))
			for _, w := range all {
				if slices.Contains(networks, w.Endpoint.Network) && !strings.Contains(string(text), `"name":"`+w.name+`"`) {
					err = errors.Join(err, errors.New("without "+w.name))
				}
			}
			return err
		}, "what host "+h.Name()+" knows is on its disk")
	}
}

// held waits until servers and agents are on hold, and tries what is refused then.
func (s *session) held(says string) {
	s.t.Helper()
	testenv.Eventually(s.t, patience, func() error {
		for _, h := range []*host{s.b, s.c} {
			if out := h.try("status --local"); !strings.Contains(out.stdout, "on hold: ") {
				return errors.New(out.String())
			}
		}
		return nil
	}, "agents are on hold")
	ns := s.c.namespace("refused")
	s.c.try("endpoint attach blue --netns %s", nameOf(ns)).refused(s.t, 6, says, "weft store recover --from-nodes")
	s.a.try("network create red --subnet 10.9.0.0/24").refused(s.t, 6, says, "weft store recover --from-nodes")
	if out := s.a.weft("store show"); !strings.Contains(out, "on hold") || !strings.Contains(out, says) {
		s.t.Errorf("weft store show says %q", out)
	}
}

// followed waits until the agents follow the store, without having been restarted.
func (s *session) followed() {
	s.t.Helper()
	for _, h := range s.hosts() {
		testenv.Eventually(s.t, patience, func() error {
			if out := h.try("status --local"); out.code != 0 || strings.Contains(out.stdout, "on hold") {
				return errors.New(out.String())
			}
			return nil
		}, "the agent on "+h.Name()+" follows the store")
	}
	var now store.Standing
	s.a.read(&now, "store show")
	for _, h := range s.hosts() {
		told := now.Nodes[overlay.NodeName(h.Name())]
		if len(told.Conflicts) > 0 || !told.Own {
			s.t.Errorf("node %s: %+v", h.Name(), told)
		}
	}
}

// disjoint attaches one more workload, which gets an address that none of these has.
func (s *session) disjoint(network string, have []*workload) {
	s.t.Helper()
	late := s.c.attachAs(network+"-late", network)
	for _, w := range have {
		for _, a := range late.Endpoint.Spec.Addresses {
			if a == w.address(overlay.FamilyOf(a)) {
				s.t.Errorf("%s has address %s of %s", late.name, a, w.name)
			}
		}
	}
	s.pings(late.Namespace, have[0].address(overlay.V4).String())
}

// unchanged checks that the store has of a workload what it was attached with.
func (s *session) unchanged(w *workload) {
	s.t.Helper()
	var now overlay.Endpoint
	s.a.read(&now, "endpoint show %s/%s", w.Endpoint.Network, w.name)
	was := w.Endpoint.Spec
	if now.Spec.Node != was.Node || now.Spec.MAC != was.MAC || text(now.Spec.Addresses) != text(was.Addresses) || now.Spec.Attach != was.Attach {
		s.t.Errorf("%s is %+v, was %+v", w.name, now.Spec, was)
	}
}

func text(addresses []netip.Addr) string {
	var words []string
	for _, a := range addresses {
		words = append(words, a.String())
	}
	return strings.Join(words, " ")
}
