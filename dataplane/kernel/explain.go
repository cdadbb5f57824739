package kernel

import (
	"fmt"
	"maps"
	"net/netip"

	"weft/dataplane"
	"weft/dataplane/nft"
	"weft/overlay"
)

// Explain is the commands that would make the State by hand on a host that has
// nothing of it, one on a line. devices are the underlay devices by which the host
// reaches other nodes' addresses; without them, what takes unencapsulated packets
// past the host's own firewall is left out.
func Explain(s dataplane.State, dir string, devices map[netip.Addr]string) []string {
	lines := otherwise(s)
	s = byHand(s)
	direct := map[overlay.NetworkName]nft.Direct{}
	for name, n := range s.Networks {
		if hasDirect(n) {
			direct[name] = directFilter(n, devices)
		}
	}
	guard, host := NewObjects(), LowerHost(s)
	guard.Filters[Host] = nft.Host(s.Networks, nil)
	host.Filters[Host] = nft.Host(s.Networks, direct)
	for _, step := range []struct{ want, have Objects }{
		{guard, NewObjects()}, {Lower(s, dir), NewObjects()}, {LowerTunnels(s.Tunnels), NewObjects()}, {host, guard},
	} {
		for _, op := range Diff(step.want, step.have) {
			if several, ok := op.(interface{ lines() []string }); ok {
				lines = append(lines, several.lines()...)
				continue
			}
			lines = append(lines, op.String())
		}
	}
	return lines
}

// otherwise is a comment for each network that the commands are not what is there of.
func otherwise(s dataplane.State) []string {
	var lines []string
	for _, name := range sortedNames(s.Networks) {
		if s.Networks[name].Plane == overlay.PlaneEBPF {
			lines = append(lines, fmt.Sprintf("# network %s is on plane ebpf here: programs do what these commands have the kernel do", name))
		}
	}
	return lines
}

// byHand is the State with every network on the kernel plane that this carries: what programs do,
// commands can only do otherwise.
func byHand(s dataplane.State) dataplane.State {
	s.Networks = maps.Clone(s.Networks)
	for name, n := range s.Networks {
		if n.Plane != overlay.PlaneUser {
			n.Plane = overlay.PlaneKernel
		}
		s.Networks[name] = n
	}
	return s
}
