package kernel_test

import (
	"slices"
	"strings"
	"testing"

	"weft/dataplane/dataplanetest"
	"weft/dataplane/dataplanetest/linux"
	"weft/dataplane/kernel"
	"weft/internal/testenv/vm"
	"weft/overlay"
)

// memberCases are those of the contract that links to members can get wrong; the rest is the
// business of ports and of the domain, which are those of vxlan networks.
var memberCases = []string{
	"ping to another node", "broadcast goes to everybody", "a member's broadcast goes to the ports",
	"no way from member to member", "ARP and ND for another node's are answered here", "outer source is no member",
	"unknown VNI", "the largest packet passes", "a larger one is answered", "the same State again",
	"a remote that has gone", "a member that has gone", "a node with another address",
}

// TestContractOfEncapsulations holds the plane to the contract with networks of those
// encapsulations whose links a stock kernel has. Routed networks of geneve are those of gre with
// links that bridged ones have, and rows of test/matrix.
func TestContractOfEncapsulations(t *testing.T) {
	t.Parallel()
	vm.Each(t, []vm.Kernel{vm.Linux612}, vm.Options{Tools: []string{"nft"}}, func(t *testing.T) {
		for _, n := range []struct {
			e    overlay.Encapsulation
			kind overlay.NetworkKind
		}{
			{overlay.EncapGeneve, overlay.Bridged}, {overlay.EncapGRE, overlay.Bridged}, {overlay.EncapGRE, overlay.Routed},
			{overlay.EncapIPIP, overlay.Routed}, {overlay.EncapSIT, overlay.Routed},
		} {
			t.Run(string(n.e), func(t *testing.T) {
				dataplanetest.RunCases(t, n.e, n.kind, memberCases, func(t testing.TB) dataplanetest.Harness {
					return linux.New(t, subject(overlay.AttachVeth))
				})
			})
		}
		t.Run("headers of tunnels", tunnelHeaders)
	})
}

// TestTunnelHeaders holds what is expected of other planes' tunnels against the kernel's own devices.
func TestTunnelHeaders(t *testing.T) {
	t.Parallel()
	tunnelHeaders(t)
}

// tunnelHeaders is about the devices that this kernel has; those that all have need no other
// machine.
func tunnelHeaders(t *testing.T) {
	modes, err := kernel.TunnelModes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, there := vm.Here(); there {
		modes = slices.DeleteFunc(modes, func(m string) bool { return strings.HasPrefix(m, string(overlay.TunnelVXLAN)) })
	}
	linux.RunTunnels(t, subject(overlay.AttachVeth), modes)
}
