package stock

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/internal/testenv/vm"
	"weft/overlay"
)

// TestPeer: the kernel's own devices join networks of every encapsulation. Pings, the
// largest packets and TCP pass both ways, and what is on the wire is what tshark expects
// there.
func TestPeer(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	host := newHost(t)
	p := newMachinePeer(t, host)
	connect(t, host, p)
	wire := listen(t, host)
	wire.read(converse(t, host, p, devices))
}

// TestKernels: the planes load and forward on older kernels, too, where the peer is a
// namespace.
func TestKernels(t *testing.T) {
	t.Parallel()
	vm.Each(t, vm.Kernels, vm.Options{}, func(t *testing.T) {
		host := newHost(t)
		p := newNamespacePeer(t, host)
		connect(t, host, p)
		converse(t, host, p, briefly(devices))
	})
}

// converse has a host of Weft's and a peer talk, in a network for each device.
func converse(t *testing.T, host string, p peer, all []device) []network {
	t.Helper()
	var networks []network
	for i, d := range all {
		networks = append(networks, network{d, i + 1, testenv.Namespace(t)})
	}
	forward(t, host, stateOf(t, 0, networks))
	theirs := stateOf(t, 1, networks)
	for _, n := range networks {
		t.Run(n.String(), func(t *testing.T) {
			p.Run(n.script(theirs.Networks[n.name()]))
			defer p.Run("ip link delete " + n.dev()) // IPv6 tunnels between two addresses exclude each other
			for _, f := range n.inside() {
				n.ping(t, p, f, theirs.Networks[n.name()].MTU)
				n.transfer(t, f)
			}
		})
	}
	return networks
}

// script has the peer join the network; n is the network as it would be there with Weft.
func (n network) script(there dataplane.Network) string {
	frames := n.e == overlay.EncapVXLAN || n.e == overlay.EncapGeneve || n.kind == overlay.Bridged
	values := map[string]string{
		"dev": n.dev(), "vni": n.vni().String(), "mtu": fmt.Sprint(there.MTU),
		"local": there.Local.String(), "weft": local(0, n.underlay).Addr().String(), "weftmac": overlay.VTEPMACFor(names[0]).String(),
	}
	text := join
	switch {
	case n.kind == overlay.Bridged:
		values["address"] = "address " + n.mac(1).String()
	case frames:
		values["address"] = "address " + there.VTEPMAC.String()
		text += routeNeighbor
	default:
		text += routeDevice
	}
	if n.limited {
		values["limited"] = "1"
	}
	for i, f := range map[string]overlay.Family{"4": v4, "6": v6} {
		if !slices.Contains(n.inside(), f) {
			continue
		}
		bits := n.subnet(f).Bits()
		if n.kind == overlay.Routed {
			bits = n.address(1, f).BitLen()
		}
		values["ip"+i], values["block"+i] = fmt.Sprintf("%s/%d", n.address(1, f), bits), n.block(0, f).String()
	}
	var script strings.Builder
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&script, "%s='%s'\n", name, values[name])
	}
	return script.String() + strings.ReplaceAll(text, "$link", n.link)
}
