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

// networkVNI is that of the network that it is, or is part of.
func (r row) networkVNI() overlay.VNI {
	if r.attached() {
		return r.vni() + 0x8000
	}
	return r.vni()
}

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
	if r.routes() {
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
	if r.attached() && host == far {
		r.form = alone
	}
	want := r.state(t, host, "/run/netns/none")
	if r.form == alone {
		return want.Tunnels[r.tunnelName()].MTU
	}
	return want.Networks[r.networkName()].MTU
}

// mtuBetween is that of the way between the two. Of a tunnel in a network it may be more than
// the endpoint's.
func (r row) mtuBetween(t testing.TB) int {
	t.Helper()
	if r.attached() {
		r.form = alone
	}
	return r.mtuAt(t, near)
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
		has := []overlay.PlaneName{plane}
		if r.attached() && plane == overlay.PlaneUser { // of networks it does others
			has = []overlay.PlaneName{overlay.PlaneEBPF, plane}
		}
		all = append(all, &overlay.Node{Meta: overlay.Meta{Name: string(names[i])}, Spec: overlay.NodeSpec{
			Underlay: []netip.Prefix{local(i, v4), local(i, v6)}, UnderlayMTU: underlayMTU, VTEPMAC: overlay.VTEPMACFor(names[i]),
			Planes: has, TunnelModes: map[overlay.PlaneName][]string{overlay.PlaneEBPF: modes, overlay.PlaneKernel: modes, overlay.PlaneUser: modes},
		}})
	}
	return all
}

// resources are what is declared of the row, as a host has to know it.
func (r row) resources(host int, workload string) []overlay.Resource {
	switch {
	case r.attached():
		return append(r.networkResources(workload, overlay.EncapVXLAN, near), r.tunnel(host))
	case r.network():
		return r.networkResources(workload, r.encapsulation(), near, far)
	}
	return []overlay.Resource{r.tunnel(host)}
}

// networkResources are a network with an endpoint on some hosts; a workload is a namespace.
func (r row) networkResources(workload string, e overlay.Encapsulation, hosts ...int) []overlay.Resource {
	spec := overlay.NetworkSpec{VNI: r.networkVNI(), Kind: r.kind(), Encapsulation: e, Underlay: r.over}
	for _, f := range r.inside() {
		spec.Subnets = append(spec.Subnets, r.subnet(f))
	}
	if r.routes() {
		spec.BlockBits4, spec.BlockBits6 = 24, 120
	}
	all := []overlay.Resource{&overlay.Network{Meta: overlay.Meta{Name: string(r.networkName())}, Spec: spec.Complete()}}
	for _, i := range hosts {
		e := &overlay.Endpoint{Meta: overlay.Meta{Name: "e" + string(names[i]), Network: r.networkName()}, Spec: overlay.EndpointSpec{
			Node: names[i], Port: overlay.PortSingle, MAC: r.mac(i), Lifetime: overlay.Bound,
			Attach: overlay.Attach{Type: overlay.AttachNetns, Target: workload, Interface: r.device()},
		}}
		for _, f := range r.inside() {
			e.Spec.Addresses = append(e.Spec.Addresses, r.address(i, f))
			if r.routes() {
				b := &overlay.Block{Spec: overlay.BlockSpec{Node: names[i], Prefix: r.block(i, f)}}
				b.Meta = overlay.Meta{Name: overlay.BlockName(b.Spec.Prefix), Network: r.networkName()}
				e.Spec.Blocks = append(e.Spec.Blocks, b.Meta.Name)
				all = append(all, b)
			}
		}
		all = append(all, e)
	}
	return all
}

// siteDevice is that of a tunnel in a network.
const siteDevice = "site"

// tunnel is a host's end of one. In a network its addresses are those of others.
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
	meta := overlay.Meta{Name: string(r.tunnelName())}
	if r.attached() {
		meta.Network, s.Device, s.Plane = r.networkName(), siteDevice, overlay.PlaneAuto
	}
	for _, f := range r.inside() {
		switch r.form {
		case alone:
			s.Addresses = append(s.Addresses, netip.PrefixFrom(r.address(host, f), r.subnet(f).Bits()))
		case inRouted:
			s.Routes = append(s.Routes, overlay.TunnelRoute{Prefix: r.block(1-host, f)})
		}
	}
	return &overlay.Tunnel{Meta: meta, Spec: s}
}
