package interop

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"testing"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/plan"
)

// underlayMTU is that of the wire, in bytes.
const underlayMTU = 1500

// families are those that workloads have.
var families = []overlay.Family{overlay.V4, overlay.V6}

// vni differs in each of its bytes from the others and from zero.
const vni = 0xabcdef

// host is one of the two on an underlay segment, whose device there is eth0.
type host struct {
	testing.TB
	name         overlay.NodeName
	index        int
	ns, workload string // namespaces
}

// underlay is the host's address, with the segment's prefix length.
func (h *host) underlay(f overlay.Family) netip.Prefix {
	if f == overlay.V4 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(h.index + 1)}), 24)
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(h.index + 1)}), 64)
}

// mac is that of the host's workload.
func (h *host) mac() overlay.MAC { return overlay.MAC{2, 0, 0, 0, 0, byte(0x10 + h.index)} }

// run runs a command on the host.
func (h *host) run(argv ...string) {
	h.Helper()
	testenv.Run(h, h.ns, argv...)
}

// pair is two hosts with a network on them.
type pair struct {
	testing.TB
	wire     string // the namespace with the underlay's bridge
	hosts    [2]*host
	spec     overlay.NetworkSpec
	families []overlay.Family // inside
	snapshot *overlay.Snapshot
}

// newPair makes the hosts. Nobody's device fills in checksums: what is on the wire is final.
func newPair(t testing.TB, spec overlay.NetworkSpec) *pair {
	t.Helper()
	wire := testenv.Namespace(t)
	p := &pair{TB: t, wire: wire}
	testenv.Run(t, wire, "ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
	testenv.Run(t, wire, "ip", "link", "set", "br0", "up")
	for i := range p.hosts {
		h := &host{TB: t, name: overlay.NodeName(rune('a' + i)), index: i, ns: testenv.Namespace(t), workload: testenv.Namespace(t)}
		port := "p" + strconv.Itoa(i)
		testenv.Run(t, wire, "ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", h.ns)
		testenv.Run(t, wire, "ip", "link", "set", port, "master", "br0", "up")
		h.run("ip", "link", "set", "lo", "up")
		h.run("ethtool", "-K", "eth0", "tx", "off")
		p.hosts[i] = h
	}
	p.declare(spec)
	return p
}

// connect has a host's kernel answer for its underlay addresses, on a device.
func (h *host) connect(device string) {
	h.Helper()
	h.run("ip", "address", "add", h.underlay(overlay.V4).String(), "dev", device)
	h.run("ip", "address", "add", h.underlay(overlay.V6).String(), "dev", device, "nodad")
	h.run("ip", "link", "set", device, "up")
}

// name is the network's.
const name overlay.NetworkName = "blue"

// subnets are the network's.
var subnets = map[overlay.Family]netip.Prefix{
	overlay.V4: netip.MustParsePrefix("10.7.0.0/16"), overlay.V6: netip.MustParsePrefix("fd07::/64"),
}

// declare writes down the network, in which each host has an endpoint: Weft's, and what the
// registry has of the peer's.
func (p *pair) declare(spec overlay.NetworkSpec) {
	p.snapshot = overlay.NewSnapshot()
	spec.VNI = vni
	for _, f := range families {
		if spec.Encapsulation.CarriesFamily(f) {
			p.families = append(p.families, f)
			spec.Subnets = append(spec.Subnets, subnets[f])
		}
	}
	if spec.Kind == overlay.Routed {
		spec.BlockBits4, spec.BlockBits6 = 24, 120
	}
	p.spec = spec.Complete()
	resources := []overlay.Resource{&overlay.Network{Meta: overlay.Meta{Name: string(name)}, Spec: p.spec}}
	for _, h := range p.hosts {
		resources = append(resources, h.node(), p.endpoint(h))
		if p.spec.Kind == overlay.Routed {
			for _, b := range p.blocks(h) {
				resources = append(resources, &overlay.Block{
					Meta: overlay.Meta{Name: overlay.BlockName(b), Network: name}, Spec: overlay.BlockSpec{Node: h.name, Prefix: b},
				})
			}
		}
	}
	for _, r := range resources {
		if err := r.Validate(); err != nil {
			p.Fatal(err)
		}
		p.snapshot.Put(r)
	}
}

func (h *host) node() *overlay.Node {
	return &overlay.Node{Meta: overlay.Meta{Name: string(h.name)}, Spec: overlay.NodeSpec{
		Underlay:    []netip.Prefix{h.underlay(overlay.V4), h.underlay(overlay.V6)},
		UnderlayMTU: underlayMTU, VTEPMAC: overlay.VTEPMACFor(h.name),
		Planes: []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel},
	}}
}

func (p *pair) endpoint(h *host) *overlay.Endpoint {
	e := &overlay.Endpoint{Meta: overlay.Meta{Name: fmt.Sprintf("e%d", h.index), Network: name}, Spec: overlay.EndpointSpec{
		Node: h.name, Port: overlay.PortSingle, MAC: h.mac(), Lifetime: overlay.Bound,
		Attach: overlay.Attach{Type: overlay.AttachNetns, Target: h.workload, Interface: "eth0"},
	}}
	for _, f := range p.families {
		e.Spec.Addresses = append(e.Spec.Addresses, p.address(h, f))
	}
	if p.spec.Kind == overlay.Routed {
		for _, b := range p.blocks(h) {
			e.Spec.Blocks = append(e.Spec.Blocks, overlay.BlockName(b))
		}
	}
	return e
}

// address is that of a host's workload: in the host's block if the network is routed.
func (p *pair) address(h *host, f overlay.Family) netip.Addr {
	subnet, _ := p.spec.Subnet(f)
	b := subnet.Addr().AsSlice()
	b[len(b)-1] = byte(0x10 + h.index)
	if p.spec.Kind == overlay.Routed {
		b[len(b)-2] = byte(1 + h.index)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// blocks are a host's shares of a routed network.
func (p *pair) blocks(h *host) []netip.Prefix {
	var blocks []netip.Prefix
	for _, f := range p.families {
		blocks = append(blocks, netip.PrefixFrom(p.address(h, f), p.spec.BlockBits(f)).Masked())
	}
	return blocks
}

// network is the network as a host should have it.
func (p *pair) network(h *host) dataplane.Network {
	p.Helper()
	s := plan.For(h.name, p.snapshot)
	if len(s.Problems) > 0 {
		p.Fatalf("the network cannot be: %v", s.Problems)
	}
	return s.Networks[name]
}

// scratch is a folder for a host's own files.
func (h *host) scratch(what string) string { return filepath.Join(h.TempDir(), what) }
