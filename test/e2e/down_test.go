package e2e

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"weft/internal/testenv"
	"weft/overlay"
)

// TestDownAfterKill: an agent is killed at some moment of its work, and weft down leaves
// the host as it was before Weft came: links, addresses, routes, rules, filters, sysctls,
// namespaces. When the agent starts again, so does what was attached.
func TestDownAfterKill(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "sysctl")
	s := hosts(t)
	v := &visited{host: s.b, places: map[string]string{"host": s.b.Path()}}
	for _, name := range []string{"web", "db"} {
		v.places[name] = v.namespace(name).Path()
	}
	v.bridge("docker7")
	v.station("docker7", "st", "10.7.0.99/24") // gives the bridge a carrier
	v.untouched = v.look(t)
	s.a.startServer()
	v.startAgent(s.token())
	s.c.startAgent(s.token())
	s.a.weft("network create blue --subnet 10.7.0.0/24 --subnet6 fd00:7::/64")
	s.a.weft("network create green --kind routed --subnet 10.8.0.0/16 --subnet6 fd00:8::/48 --direct-routing")
	s.a.weft("network create teal --plane ebpf --subnet 10.9.0.0/24 --subnet6 fd00:9::/64")
	far := map[string]*workload{"web": s.a.attach("blue"), "db": s.c.attach("green")}
	s.a.attach("green") // packets between a and b go straight

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range testenv.Rounds(8, 100) {
		var attaching errgroup.Group
		for _, what := range v.attachments() {
			// Whether it succeeds depends on when the kill comes.
			attaching.Go(func() error { v.try("endpoint attach %s", what); return nil })
		}
		<-time.After(time.Duration(random.IntN(200)) * time.Millisecond)
		v.kill()
		if err := attaching.Wait(); err != nil {
			t.Fatal(err)
		}
		v.leavesNothing(t)
		v.restart()
	}
	for _, what := range v.attachments() {
		v.weft("endpoint attach %s", what)
	}
	v.kill()
	v.leavesNothing(t)
	v.restart()
	for name, network := range map[string]string{"web": "blue", "db": "green"} {
		var e overlay.Endpoint
		v.read(&e, "endpoint show %s/%s", network, name)
		for _, a := range e.Spec.Addresses {
			s.pings(far[name].Namespace, a.String())
		}
	}
}

// visited is a host that Weft comes to and leaves again.
type visited struct {
	*host
	// places are its own namespace and those of its workloads.
	places    map[string]string
	untouched picture
}

// attachments are what endpoint attach can be told, one of each kind.
func (v *visited) attachments() []string {
	return []string{
		"blue --name web --netns " + v.places["web"], "green --name db --netns " + v.places["db"],
		"blue --tap tap7", "blue --veth veth7", "blue --bridge docker7",
		"teal --tap tap9", "teal --veth veth9",
	}
}

// leavesNothing runs weft down, which has nothing more to do when it is repeated.
func (v *visited) leavesNothing(t *testing.T) {
	t.Helper()
	v.weft("down")
	if err := v.untouched.differs(v.look(t)); err != nil {
		t.Fatalf("after weft down: %v", err)
	}
	if _, err := os.Stat(filepath.Join(v.Dir(), "run", "bpf")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after weft down: the folder of programs: %v", err)
	}
	if again := v.weft("down"); again != "" {
		t.Errorf("weft down, again: %q", again)
	}
}

// look is the picture of the host with Weft's namespaces and of its workloads, and all
// that sysctl says of the network.
func (v *visited) look(t *testing.T) picture {
	t.Helper()
	lines, err := v.picture()
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range v.places {
		more, err := v.lines(name, path)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, more...)
		for line := range strings.Lines(testenv.Output(t, path, "sysctl", "-a", "-r", "^net")) {
			if !strings.Contains(line, "nf_conntrack_count") {
				lines = append(lines, name+": "+strings.TrimSpace(line))
			}
		}
	}
	return lines
}
