package matrix

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"weft/dataplane"
	"weft/overlay"
	"weft/plan"
)

// underlayMTU is that of the wire, in bytes.
const underlayMTU = 1500

// The two hosts: near is Weft's, whose plane is tested, and far the peer's.
const (
	near = 0
	far  = 1
)

// names are the hosts', as the registry has them.
var names = [2]overlay.NodeName{"a", "b"}

// local is a host's address on the wire.
func local(host int, f overlay.Family) netip.Prefix {
	if f == v4 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(host + 1)}), 24)
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(host + 1)}), 64)
}

// stranger is somebody's on the wire who is neither.
func stranger(f overlay.Family) netip.Addr { return local(76, f).Addr() }

// vni differs in its bytes, and between rows. It is the key of GRE's networks, too.
func (r row) vni() overlay.VNI { return overlay.VNI(0xabcd00 + r.number) }

// Keys of a tunnel, by the host that receives them.
func (r row) key(host int) overlay.GREKey { return overlay.GREKey(0x11110000<<host + r.number) }

// network and device are the row's names. One of the two is what there is.
func (r row) networkName() overlay.NetworkName {
	return overlay.NetworkName(fmt.Sprintf("n%d", r.number))
}
func (r row) tunnelName() overlay.TunnelName {
	return overlay.TunnelName(fmt.Sprintf("tun%d", r.number))
}

// device is what the near or the far end has its address on.
func (r row) device() string { return string(r.tunnelName()) }

func (r row) mac(host int) overlay.MAC {
	return overlay.MAC{2, 0, 0, 0, byte(r.number), byte(0x10 + host)}
}

// subnet is that of the addresses inside.
func (r row) subnet(f overlay.Family) netip.Prefix {
	if f == v4 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(r.number)}), 16)
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0, 3: byte(r.number)}), 64)
}

// address is what a host, or its endpoint, has inside: in a routed network one of its block.
func (r row) address(host int, f overlay.Family) netip.Addr {
	b := r.subnet(f).Addr().AsSlice()
	b[len(b)-1] = byte(0x10 + host)
	if r.form == routed {
		b[len(b)-2] = byte(1 + host)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// broadcast is the subnet's.
func (r row) broadcast() netip.Addr {
	b := r.subnet(v4).Addr().As4()
	b[2], b[3] = 255, 255
	return netip.AddrFrom4(b)
}

// block is a host's share of a routed network.
func (r row) block(host int, f overlay.Family) netip.Prefix {
	a := r.address(host, f)
	return netip.PrefixFrom(a, a.BitLen()-8).Masked()
}

// state is what a host should forward, if it were Weft's.
func (r row) state(t testing.TB, host int, workload string) dataplane.State {
	t.Helper()
	s := overlay.NewSnapshot()
	for _, r := range slices.Concat(r.nodes(), r.resources(host, workload)) {
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		s.Put(r)
	}
	want := plan.For(names[host], s)
	if len(want.Problems)+len(want.TunnelProblems) > 0 {
		t.Fatalf("it cannot be: %v %v", want.Problems, want.TunnelProblems)
	}
	return want
}

// mtuAt is that of what has the addresses on a host.
func (r row) mtuAt(t testing.TB, host int) int {
	t.Helper()
	want := r.state(t, host, "/run/netns/none")
	if r.network() {
		return want.Networks[r.networkName()].MTU
	}
	return want.Tunnels[r.tunnelName()].MTU
}

// nodes are the hosts, each of which has one plane. What that can do it says when it is asked to.
func (r row) nodes() (all []overlay.Resource) {
	var modes []string
	for _, m := range overlay.TunnelModes() {
		modes = append(modes, m.Over(v4), m.Over(v6))
	}
	for i, plane := range []overlay.PlaneName{r.plane, r.peer.plane()} {
		if plane == "" {
			plane = r.plane // as good as another: it is somebody else
		}
		all = append(all, &overlay.Node{Meta: overlay.Meta{Name: string(names[i])}, Spec: overlay.NodeSpec{
			Underlay: []netip.Prefix{local(i, v4), local(i, v6)}, UnderlayMTU: underlayMTU, VTEPMAC: overlay.VTEPMACFor(names[i]),
			Planes: []overlay.PlaneName{plane}, TunnelModes: map[overlay.PlaneName][]string{plane: modes, overlay.PlaneKernel: modes},
		}})
	}
	return all
}

// resources are what is declared of the row, as a host has to know it.
func (r row) resources(host int, workload string) []overlay.Resource {
	if r.network() {
		return r.networkResources(workload)
	}
	return []overlay.Resource{r.tunnel(host)}
}

// networkResources are a network with an endpoint on each host; a workload is a namespace.
func (r row) networkResources(workload string) []overlay.Resource {
	spec := overlay.NetworkSpec{VNI: r.vni(), Kind: r.kind(), Encapsulation: r.encapsulation(), Underlay: r.over}
	for _, f := range r.inside() {
		spec.Subnets = append(spec.Subnets, r.subnet(f))
	}
	if r.form == routed {
		spec.BlockBits4, spec.BlockBits6 = 24, 120
	}
	all := []overlay.Resource{&overlay.Network{Meta: overlay.Meta{Name: string(r.networkName())}, Spec: spec.Complete()}}
	for i, host := range names {
		e := &overlay.Endpoint{Meta: overlay.Meta{Name: "e" + string(host), Network: r.networkName()}, Spec: overlay.EndpointSpec{
			Node: host, Port: overlay.PortSingle, MAC: r.mac(i), Lifetime: overlay.Bound,
			Attach: overlay.Attach{Type: overlay.AttachNetns, Target: workload, Interface: r.device()},
		}}
		for _, f := range r.inside() {
			e.Spec.Addresses = append(e.Spec.Addresses, r.address(i, f))
			if r.form == routed {
				b := &overlay.Block{Spec: overlay.BlockSpec{Node: host, Prefix: r.block(i, f)}}
				b.Meta = overlay.Meta{Name: overlay.BlockName(b.Spec.Prefix), Network: r.networkName()}
				e.Spec.Blocks = append(e.Spec.Blocks, b.Meta.Name)
				all = append(all, b)
			}
		}
		all = append(all, e)
	}
	return all
}

// tunnel is a host's end of one that stands alone.
func (r row) tunnel(host int) overlay.Resource {
	s := overlay.TunnelSpec{
		Node: names[host], Mode: r.mode, Remote: local(1-host, r.over).Addr().String(),
		InChecksum: r.hasChecksums(), OutChecksum: r.hasChecksums(), InSequence: r.hasNumbers(), OutSequence: r.hasNumbers(),
	}
	if r.mode.HasVNI() {
		s.VNI = r.vni()
	}
	if r.hasKeys() {
		in, out := r.key(host), r.key(1-host)
		s.InKey, s.OutKey = &in, &out
	}
	if s.Plane = r.plane; host == far && r.peer.plane() != "" {
		s.Plane = r.peer.plane()
	}
	for _, f := range r.inside() {
		s.Addresses = append(s.Addresses, netip.PrefixFrom(r.address(host, f), r.subnet(f).Bits()))
	}
	return &overlay.Tunnel{Meta: overlay.Meta{Name: string(r.tunnelName())}, Spec: s}
}
