package e2e

import (
	"fmt"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
)

// endpoints are the names of a network's endpoints, and where they are: "web@a".
func (s *session) endpoints(network string) string {
	s.t.Helper()
	var all []overlay.Endpoint
	s.a.read(&all, "endpoint ls %s", network)
	var names []string
	for _, e := range all {
		names = append(names, e.Name+"@"+string(e.Spec.Node))
	}
	return strings.Join(names, " ")
}

// awaitEndpoints waits until the network has exactly these.
func (s *session) awaitEndpoints(network, want string) {
	s.t.Helper()
	testenv.Eventually(s.t, patience, func() error {
		if got := s.endpoints(network); got != want {
			return fmt.Errorf("there is %q", got)
		}
		return nil
	}, "endpoints of "+network+" are "+want)
}

// TestBoundEndpointGoesWithItsNamespace, and nothing of it is left anywhere.
func TestBoundEndpointGoesWithItsNamespace(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.a.weft("network create blue --subnet 10.7.0.0/24 --subnet6 fd00:7::/64")
	s.a.attach("blue")
	s.b.attach("blue")
	s.settled()
	before := s.picture()
	web := s.b.attachAs("web", "blue")
	s.awaitEndpoints("blue", "blue-a@a blue-b@b web@b")
	if err := web.Delete(); err != nil {
		t.Fatal(err)
	}
	s.awaitEndpoints("blue", "blue-a@a blue-b@b")
	s.becomes(before)
}

// TestKeptEndpointComesBack with the namespace's name, also when the namespace went
// and came while no agent ran.
func TestKeptEndpointComesBack(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.a.weft("network create green --kind routed --subnet 10.8.0.0/16 --subnet6 fd00:8::/48")
	peer := s.a.attach("green")
	web := s.b.attachAs("web", "green", "--lifetime", "kept")
	again := func() {
		if err := web.Delete(); err != nil {
			t.Fatal(err)
		}
		web.Namespace = s.b.namespace("web")
	}
	answers := func() {
		for _, a := range web.Endpoint.Spec.Addresses {
			s.pings(peer.Namespace, a.String())
		}
	}
	answers()
	again()
	answers()
	s.b.kill()
	again()
	s.b.restart()
	answers()
	if got, want := s.endpoints("green"), "green-a@a web@b"; got != want {
		t.Errorf("endpoints %q, want %q", got, want)
	}
}

// TestDeletedPortIsRepaired: while its namespace lives, a port that is gone was
// tampered with.
func TestDeletedPortIsRepaired(t *testing.T) {
	t.Parallel()
	s := begin(t)
	for i, kind := range kinds {
		network := string(kind)
		s.a.weft("network create %s --kind %s --subnet 10.%d.0.0/16 --subnet6 fd00:%d::/48", network, kind, i, i)
		peer, web := s.a.attach(network), s.b.attach(network)
		testenv.Run(t, web.Path(), "ip", "link", "delete", "eth0")
		for _, a := range web.Endpoint.Spec.Addresses {
			s.pings(peer.Namespace, a.String())
		}
		s.settled()
	}
}

// TestDetach: what is detached is gone from the host when the command returns, and
// what was attached last takes the whole network along.
func TestDetach(t *testing.T) {
	t.Parallel()
	s := begin(t)
	untouched := s.picture()
	s.a.weft("network create blue --subnet 10.7.0.0/24")
	s.a.weft("network create green --kind routed --subnet 10.8.0.0/16")
	for _, network := range []string{"blue", "green"} {
		for _, w := range s.attachEverywhere(network) {
			w.host.weft("endpoint detach %s/%s", network, w.name)
			if out := testenv.Output(t, w.Path(), "ip", "-br", "link"); strings.Contains(out, "eth0") {
				t.Errorf("%s is detached and still has\n%s", w.name, out)
			}
			w.host.try("endpoint detach %s/%s", network, w.name).refused(t, 4, w.name)
		}
	}
	s.becomes(untouched)
}

// TestRemovalOfWhatIsInUse is refused, and what is not in use goes.
func TestRemovalOfWhatIsInUse(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.a.weft("network create green --kind routed --subnet 10.8.0.0/16")
	here, there := s.a.attach("green"), s.b.attach("green")
	s.a.try("network rm green").refused(t, 5, "network green is in use by endpoint green/green-a")
	s.a.try("node rm b").refused(t, 5, "node b is in use by endpoint green/green-b")
	s.pings(here.Namespace, there.address(overlay.V4).String())

	s.b.kill() // the host has burnt down
	s.a.weft("node rm b --force")
	s.awaitEndpoints("green", "green-a@a")
	s.a.weft("endpoint detach green/green-a")
	s.a.weft("network rm green")
	s.a.try("network show green").refused(t, 4, "there is no network green")
}
