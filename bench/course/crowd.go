package course

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"weft/bench"
	"weft/dataplane/ebpf"
	"weft/dataplane/kernel"
	"weft/lab"
	"weft/overlay"
	"weft/plan"
)

// What needs more nodes and endpoints than can be built is measured on the planes of
// two hosts, without daemons: they are told of the others as an agent would tell them.

// crowds measures how many remote endpoints, and many peers, weigh.
func crowds(ctx context.Context, o Options, r *bench.Report) error {
	if o.wants(partScale) {
		if err := on(ctx, o, func(g *ground) error { return scale(ctx, o, r, g) }); err != nil {
			return err
		}
	}
	if o.wants(partFlood) {
		return on(ctx, o, func(g *ground) error { return flood(ctx, o, r, g) })
	}
	return nil
}

// node is a host with both planes, and what they are to do.
type node struct {
	host     *lab.Host
	planner  *plan.Planner
	programs *ebpf.Programs
	plane    *kernel.Plane
}

func openNode(h *lab.Host) (*node, error) {
	programs, err := ebpf.Open(ebpf.Options{Dir: filepath.Join(h.Dir(), "bpf"), Host: h.Path()})
	if err != nil {
		return nil, fmt.Errorf("open the eBPF plane: %w", err)
	}
	plane, err := kernel.New(kernel.Options{
		NetnsDir: domains(h), StateDir: h.Dir(), Host: h.Path(), Programs: programs,
	})
	if err != nil {
		return nil, errors.Join(err, programs.Close())
	}
	return &node{h, plan.NewPlanner(overlay.NodeName(h.Name())), programs, plane}, nil
}

// domains is the folder of the networks' own namespaces on a host.
func domains(h *lab.Host) string { return filepath.Join(h.Dir(), "netns") }

// domain is a network's own namespace.
func (n *node) domain(network string) string {
	return string(kernel.DomainNS(domains(n.host), overlay.NetworkName(network)))
}

func (n *node) Close() error { return errors.Join(n.plane.Close(), n.programs.Close()) }

// apply has the host follow what the planner was told, and returns how long that took.
func (n *node) apply(ctx context.Context) (time.Duration, error) {
	change, _ := n.planner.Plan()
	began := time.Now()
	err := n.plane.Apply(ctx, n.planner.State(), &change)
	return time.Since(began), err
}

// crowd is two hosts that believe to be among many.
type crowd struct {
	a, b *node
}

// openCrowd opens the planes of both, which know of each other.
func openCrowd(g *ground) (*crowd, error) {
	a, err := openNode(g.Host("a"))
	if err != nil {
		return nil, err
	}
	b, err := openNode(g.Host("b"))
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	c := &crowd{a, b}
	for _, h := range []*lab.Host{a.host, b.host} {
		c.putNode(h.Name(), h.Machine().NICs[0].Addresses[0])
	}
	return c, nil
}

func (c *crowd) Close() error { return errors.Join(c.a.Close(), c.b.Close()) }

// put tells both of a resource.
func (c *crowd) put(r overlay.Resource) {
	c.a.planner.Put(r)
	c.b.planner.Put(r)
}

func (c *crowd) putNode(name string, underlay netip.Prefix) {
	c.put(&overlay.Node{Meta: overlay.Meta{Kind: overlay.KindNode, Name: name}, Spec: overlay.NodeSpec{
		Underlay: []netip.Prefix{underlay}, UnderlayMTU: 1500, VTEPMAC: overlay.VTEPMACFor(overlay.NodeName(name)),
		Planes: []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel},
	}})
}

// putNetwork declares a bridged network on a plane: the i-th, with 10.I.0.0/15.
func (c *crowd) putNetwork(name string, i int, plane overlay.PlaneName) {
	n := &overlay.Network{
		Meta: overlay.Meta{Kind: overlay.KindNetwork, Name: name},
		Spec: overlay.NetworkSpec{
			VNI: overlay.VNI(5000 + i), Kind: overlay.Bridged, Plane: plane,
			Subnets: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i)}), 15)},
		},
	}
	n.Spec = n.Spec.Complete()
	c.put(n)
}

// putEndpoint declares the number-th endpoint of the i-th network: on a node that is not
// built, with nothing behind it, or in a workload.
func (c *crowd) putEndpoint(network string, i, number int, node string, w *lab.Namespace) *overlay.Endpoint {
	host := make([]byte, 4)
	binary.BigEndian.PutUint32(host, uint32(number+2))
	e := &overlay.Endpoint{
		Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: overlay.NetworkName(network), Name: fmt.Sprintf("e%d", number)},
		Spec: overlay.EndpointSpec{
			Node: overlay.NodeName(node), Port: overlay.PortSingle,
			MAC:       overlay.MAC{2, byte(i), 0, host[1], host[2], host[3]},
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(i) + host[1], host[2], host[3]})},
			Attach:    overlay.Attach{Type: overlay.AttachVeth, Target: fmt.Sprintf("e%d", number)},
		},
	}
	if w != nil {
		e.Spec.Attach = overlay.Attach{Type: overlay.AttachNetns, Target: w.Path()}
	}
	c.put(e)
	return e
}
