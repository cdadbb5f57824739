package ebpf

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"

	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// site is a host with the plane on it, with a workload in a namespace, and a station behind a
// vxlan device of somebody else's.
type site struct {
	host, workload, peer string
	state                dataplane.State
	programs             Options
	kernel               kernel.Options
}

func newSite(t *testing.T) *site {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, "ip")
	s := &site{host: testenv.Namespace(t), workload: testenv.Namespace(t), peer: testenv.Namespace(t)}
	local := netip.MustParseAddr("192.0.2.1")
	plug(t, s.host, local, s.peer, vtepB)
	id, err := netns.ID(s.workload)
	if err != nil {
		t.Fatal(err)
	}
	s.state = stateWith("blue")
	n := s.state.Networks["blue"]
	n.Local = local
	delete(n.Ports, bob.name)
	p := n.Ports[alice.name]
	p.Attach = overlay.Attach{Type: overlay.AttachNetns, Target: s.workload, Identity: id.String()}
	n.Ports[alice.name] = p
	s.state.Networks["blue"] = n

	s.programs = Options{Dir: filepath.Join(t.TempDir(), testenv.Name(t, "bpf")), Host: s.host}
	s.kernel = kernel.Options{NetnsDir: filepath.Join(t.TempDir(), "netns"), StateDir: t.TempDir(), Host: s.host}
	t.Cleanup(func() {
		if err := s.forward(spec(t), dataplane.State{}); err != nil {
			t.Error(err)
		}
		if err := Remove(s.programs.Dir, s.host); err != nil {
			t.Error(err)
		}
	})
	if err := s.forward(spec(t), s.state); err != nil {
		t.Fatal(err)
	}
	s.strange(t)
	return s
}

// strange makes the station of somebody else's.
func (s *site) strange(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{
		{"ip", "link", "add", "vx", "address", carol.mac.String(), "type", "vxlan", "id", vniOf("blue").String(), "dstport", "4789", "local", vtepB.String(), "remote", "192.0.2.1", "nolearning"},
		{"ip", "address", "add", carol.ip.String() + "/16", "dev", "vx"},
		{"ip", "link", "set", "vx", "mtu", "1450", "up"},
		{"ip", "neigh", "replace", alice.ip.String(), "lladdr", alice.mac.String(), "dev", "vx", "nud", "permanent"},
	} {
		testenv.Run(t, s.peer, args...)
	}
}

// spec is that of the programs as they are, with small maps.
func spec(t testing.TB) *ebpf.CollectionSpec {
	t.Helper()
	s, err := loadPrograms()
	if err != nil {
		t.Fatal(err)
	}
	return small(s)
}

// forward is a run of an agent: it opens the programs, has the host match a State, and ends.
func (s *site) forward(spec *ebpf.CollectionSpec, state dataplane.State) (err error) {
	p, err := open(s.programs, spec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	o := s.kernel
	o.Programs = p
	plane, err := kernel.New(o)
	if err != nil {
		return err
	}
	return errors.Join(plane.Apply(context.Background(), state, nil), plane.Close())
}

// passing has 10,000 packets a second go each way while something is done, and fails the test
// if one of them is lost.
func (s *site) passing(t *testing.T, do func() error) {
	t.Helper()
	here, there := openSocket(t, s.workload, alice.ip, carol.ip, 4000), openSocket(t, s.peer, carol.ip, alice.ip, 4000)
	flows := map[string]*flow{"out": startFlow(here, there), "in": startFlow(there, here)}
	if err := do(); err != nil {
		t.Error(err)
	}
	for _, f := range flows {
		f.stop.Store(true)
	}
	for way, f := range flows {
		if err := f.end(); err != nil {
			t.Errorf("%s: %v", way, err)
		}
		t.Logf("%s: %d of %d packets came", way, f.received, f.sent)
	}
}

// Whoever owns the programs may go and come again, and be of another version, whose maps have
// the same layout or another: not one of the packets is lost that cross the node meanwhile.
func TestTrafficPasses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	t.Run("restarts", func(t *testing.T) {
		s.passing(t, func() error {
			for range testenv.Rounds(8, 100) {
				if err := s.forward(spec(t), s.state); err != nil {
					return err
				}
			}
			return nil
		})
	})
	t.Run("another version", func(t *testing.T) {
		next := variant(t, edit{"encap.h", "#define OUTER_TTL 64", "#define OUTER_TTL 63"})
		s.passing(t, func() error {
			return errors.Join(s.forward(next, s.state), s.forward(spec(t), s.state))
		})
	})
	t.Run("another layout", func(t *testing.T) {
		older := olderSpec(t)
		s.passing(t, func() error {
			for range testenv.Rounds(2, 20) {
				if err := errors.Join(goBack(s.programs, older.Copy()), s.forward(spec(t), s.state)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
