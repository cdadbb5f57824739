package ebpf

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// changer is a host whose network goes from plane to plane.
type changer struct {
	t         *testing.T
	namespace string
	netnsDir  string
	stateDir  string
	pins      string
	programs  *Programs
	plane     *kernel.Plane
}

func newChanger(t *testing.T) *changer {
	t.Helper()
	c := &changer{t: t, namespace: testenv.Namespace(t), netnsDir: filepath.Join(t.TempDir(), "netns"), stateDir: t.TempDir(), pins: t.TempDir()}
	testenv.Run(t, c.namespace, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far")
	testenv.Run(t, c.namespace, "ip", "address", "add", "192.0.2.1/24", "dev", "eth0")
	testenv.Run(t, c.namespace, "ip", "link", "set", "eth0", "up")
	t.Cleanup(func() {
		if err := Remove(c.pins, c.namespace); err != nil {
			t.Error(err)
		}
	})
	c.start()
	t.Cleanup(func() {
		if err := c.plane.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// start starts the plane, which knows nothing of what another has made.
func (c *changer) start() {
	c.t.Helper()
	if c.plane != nil {
		if err := c.plane.Close(); err != nil {
			c.t.Fatal(err)
		}
	} else {
		c.programs = openTested(c.t, Options{Dir: c.pins, Host: c.namespace})
	}
	plane, err := kernel.New(kernel.Options{NetnsDir: c.netnsDir, StateDir: c.stateDir, Host: c.namespace, Programs: c.programs, Diverter: Diversions{c.pins}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.plane = plane
}

// apply has the host have a network, or none, and fails the test unless it is as wanted.
func (c *changer) apply(n *dataplane.Network) {
	c.t.Helper()
	s := dataplane.State{Networks: map[overlay.NetworkName]dataplane.Network{}}
	if n != nil {
		s.Networks[n.Name] = *n
	}
	if err := c.plane.Apply(context.Background(), s, nil); err != nil {
		c.t.Fatal(err)
	}
	seen, err := c.plane.Observe(context.Background(), "")
	if err != nil {
		c.t.Fatal(err)
	}
	for name, v := range seen.Networks {
		if v.Wanted == 0 || v.Present != v.Wanted || len(v.Differs) > 0 {
			c.t.Errorf("%s on plane %s: %d of %d present, differs %q", name, n.Plane, v.Present, v.Wanted, v.Differs)
		}
	}
	if lines, err := c.plane.Preview(context.Background(), s); err != nil || len(lines) > 0 {
		c.t.Errorf("still to do: %q, %v", lines, err)
	}
}

// left lists what is Weft's on the host: devices, namespaces, programs and map entries.
func (c *changer) left() []string {
	c.t.Helper()
	var left []string
	for line := range strings.Lines(testenv.Output(c.t, c.namespace, "ip", "-br", "link")) {
		if strings.HasPrefix(line, "wf") {
			left = append(left, line)
		}
	}
	spaces, err := netns.List(c.netnsDir)
	if err != nil {
		c.t.Fatal(err)
	}
	left = append(left, spaces...)
	return append(left, c.leftOfPrograms()...)
}

func (c *changer) leftOfPrograms() []string {
	c.t.Helper()
	var left []string
	files, err := os.ReadDir(c.programs.links())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, f := range files {
		left = append(left, "program "+f.Name())
	}
	all, err := c.programs.read()
	if err != nil {
		c.t.Fatal(err)
	}
	for vni := range maps.Keys(all.tables) {
		left = append(left, "map entries of VNI "+overlay.VNI(vni).String())
	}
	return left
}

// TestChangePlane: a network goes from the kernel plane to the eBPF plane and back, also
// where the agent that made it so far has gone, and leaves nothing on either.
func TestChangePlane(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	testenv.Need(t, "ip")
	for _, kind := range []overlay.NetworkKind{overlay.Bridged, overlay.Routed} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			c := newChanger(t)
			n, _ := someNetwork(kind, 4097)
			delete(n.Ports, "docker")
			web := n.Ports["web"]
			web.Attach = overlay.Attach{Type: overlay.AttachVeth, Target: "web0"}
			n.Ports["web"] = web
			for i, plane := range []overlay.PlaneName{
				overlay.PlaneKernel, overlay.PlaneEBPF, overlay.PlaneKernel, overlay.PlaneEBPF, overlay.PlaneKernel,
			} {
				if i > 2 {
					c.start()
				}
				n.Plane = plane
				c.apply(&n)
				programs := slices.Sorted(slices.Values(c.leftOfPrograms()))
				if (len(programs) > 0) != (plane == overlay.PlaneEBPF) {
					t.Errorf("on plane %s there is of the programs: %q", plane, programs)
				}
			}
			n.Plane = overlay.PlaneEBPF
			c.apply(&n)
			c.apply(nil)
			if left := c.left(); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}
