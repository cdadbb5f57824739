package stock

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"

	"weft/dataplane"
	"weft/dataplane/ebpf"
	"weft/dataplane/kernel"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/plan"
)

const v4, v6 = overlay.V4, overlay.V6

// underlayMTU is that of the wire, in bytes.
const underlayMTU = 1500

// names of the two hosts: Weft's, and the peer as the registry has it.
var names = [2]overlay.NodeName{"a", "b"}

// local is a host's address on the wire.
func local(host int, f overlay.Family) netip.Prefix {
	if f == v4 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(host + 1)}), 24)
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(host + 1)}), 64)
}

// network is one that Weft's host and the peer share, with an endpoint on each.
type network struct {
	device
	number int // from 1
	// workload is the namespace of Weft's endpoint.
	workload string
}

func (n network) name() overlay.NetworkName { return overlay.NetworkName(fmt.Sprintf("n%d", n.number)) }

// vni differs in its bytes, and between networks.
func (n network) vni() overlay.VNI { return overlay.VNI(0xabcd00 + n.number) }

// dev is the peer's device.
func (n network) dev() string { return fmt.Sprintf("tunnel%d", n.number) }

func (n network) mac(host int) overlay.MAC {
	return overlay.MAC{2, 0, 0, 0, byte(n.number), byte(0x10 + host)}
}

func (n network) subnet(f overlay.Family) netip.Prefix {
	if f == v4 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n.number)}), 16)
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0, 3: byte(n.number)}), 64)
}

// address is that of a host's endpoint: in the host's block if the network is routed.
func (n network) address(host int, f overlay.Family) netip.Addr {
	b := n.subnet(f).Addr().AsSlice()
	b[len(b)-1] = byte(0x10 + host)
	if n.kind == overlay.Routed {
		b[len(b)-2] = byte(1 + host)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// block is a host's share of a routed network.
func (n network) block(host int, f overlay.Family) netip.Prefix {
	a := n.address(host, f)
	return netip.PrefixFrom(a, a.BitLen()-8).Masked()
}

// resources are what the registry has of the network.
func (n network) resources() []overlay.Resource {
	spec := overlay.NetworkSpec{VNI: n.vni(), Kind: n.kind, Encapsulation: n.e, Underlay: n.underlay, Plane: n.plane}
	for _, f := range n.inside() {
		spec.Subnets = append(spec.Subnets, n.subnet(f))
	}
	if n.kind == overlay.Routed {
		spec.BlockBits4, spec.BlockBits6 = 24, 120
	}
	all := []overlay.Resource{&overlay.Network{Meta: overlay.Meta{Name: string(n.name())}, Spec: spec.Complete()}}
	for i, host := range names {
		e := &overlay.Endpoint{Meta: overlay.Meta{Name: "e" + string(host), Network: n.name()}, Spec: overlay.EndpointSpec{
			Node: host, Port: overlay.PortSingle, MAC: n.mac(i), Lifetime: overlay.Bound,
			Attach: overlay.Attach{Type: overlay.AttachNetns, Target: n.workload, Interface: "eth0"},
		}}
		for _, f := range n.inside() {
			e.Spec.Addresses = append(e.Spec.Addresses, n.address(i, f))
			if n.kind == overlay.Routed {
				b := &overlay.Block{Spec: overlay.BlockSpec{Node: host, Prefix: n.block(i, f)}}
				b.Meta = overlay.Meta{Name: overlay.BlockName(b.Spec.Prefix), Network: n.name()}
				e.Spec.Blocks = append(e.Spec.Blocks, b.Meta.Name)
				all = append(all, b)
			}
		}
		all = append(all, e)
	}
	return all
}

// stateOf is what a host should forward.
func stateOf(t testing.TB, host int, networks []network) dataplane.State {
	t.Helper()
	s := overlay.NewSnapshot()
	var all []overlay.Resource
	for i, name := range names {
		all = append(all, &overlay.Node{Meta: overlay.Meta{Name: string(name)}, Spec: overlay.NodeSpec{
			Underlay: []netip.Prefix{local(i, v4), local(i, v6)}, UnderlayMTU: underlayMTU, VTEPMAC: overlay.VTEPMACFor(name),
			Planes: []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel},
		}})
	}
	for _, n := range networks {
		all = append(all, n.resources()...)
	}
	for _, r := range all {
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		s.Put(r)
	}
	want := plan.For(names[host], s)
	if len(want.Problems) > 0 {
		t.Fatalf("the networks cannot be: %v", want.Problems)
	}
	return want
}

// newHost makes Weft's host, whose eth0 somebody makes later.
func newHost(t testing.TB) (ns string) {
	t.Helper()
	ns = testenv.Namespace(t)
	testenv.Run(t, ns, "ip", "link", "set", "lo", "up")
	return ns
}

// connect gives the host and its peer their addresses.
func connect(t testing.TB, ns string, p peer) {
	t.Helper()
	p.Run(`
sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0
ip link set lo up
ip address add ` + local(1, v4).String() + ` dev eth0
ip address add ` + local(1, v6).String() + ` dev eth0 nodad
ip link set eth0 up`)
	for _, f := range []overlay.Family{v4, v6} {
		argv := []string{"ip", "address", "add", local(0, f).String(), "dev", "eth0"}
		if f == v6 {
			argv = append(argv, "nodad")
		}
		testenv.Run(t, ns, argv...)
	}
	testenv.Run(t, ns, "ip", "link", "set", "eth0", "up")
}

// forward has Weft's planes forward a State on a host, until the test ends.
func forward(t testing.TB, ns string, s dataplane.State) {
	t.Helper()
	if err := newPlane(t, ns).Apply(context.Background(), s, nil); err != nil {
		t.Fatal(err)
	}
}

// newPlane has Weft's planes on a host, until the test ends.
func newPlane(t testing.TB, ns string) dataplane.Plane {
	t.Helper()
	pins, domains := filepath.Join(t.TempDir(), testenv.Name(t, "bpf")), filepath.Join(t.TempDir(), "netns")
	t.Cleanup(func() { check(t, ebpf.Remove(pins, ns)) })
	programs, err := ebpf.Open(ebpf.Options{Dir: pins, Host: ns})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, programs.Close()) })
	plane, err := kernel.New(kernel.Options{NetnsDir: domains, StateDir: t.TempDir(), Host: ns, Programs: programs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		check(t, plane.Close())
		all, err := netns.List(domains)
		check(t, err)
		for _, name := range all {
			check(t, netns.Delete(filepath.Join(domains, name)))
		}
	})
	return plane
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
