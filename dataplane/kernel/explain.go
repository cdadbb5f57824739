package kernel

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

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
	guard.Filters[Host] = nft.Host(s, nil)
	host.Filters[Host] = nft.Host(s, direct)
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

// otherwise is a comment for each network and each tunnel that the commands are not what is
// there of.
func otherwise(s dataplane.State) []string {
	const instead = "programs do what these commands have the kernel do"
	var lines []string
	for _, name := range sortedNames(s.Networks) {
		if s.Networks[name].Plane == overlay.PlaneEBPF {
			lines = append(lines, fmt.Sprintf("# network %s is on plane ebpf here: %s", name, instead))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Tunnels)) {
		if t := s.Tunnels[name]; t.Spec.Plane == overlay.PlaneEBPF {
			line := fmt.Sprintf("# tunnel %s is on plane ebpf here: %s is a veth, and %s", name, t.Spec.Device, instead)
			if t.Spec.Mode.HasVNI() && t.Spec.UDPChecksum == nil {
				line += ", but for outer UDP checksums"
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// byHand is the State with all that programs carry on the kernel plane: what they do,
// commands can only do otherwise.
func byHand(s dataplane.State) dataplane.State {
	s.Networks, s.Tunnels = maps.Clone(s.Networks), maps.Clone(s.Tunnels)
	for name, n := range s.Networks {
		if n.Plane == overlay.PlaneEBPF {
			n.Plane = overlay.PlaneKernel
			n.Ports = maps.Clone(n.Ports)
			for at, p := range n.Ports {
				if p.Tunnel != nil {
					t := tunnelByHand(*p.Tunnel)
					p.Tunnel = &t
					n.Ports[at] = p
				}
			}
		}
		s.Networks[name] = n
	}
	for name, t := range s.Tunnels {
		s.Tunnels[name] = tunnelByHand(t)
	}
	return s
}

func tunnelByHand(t dataplane.Tunnel) dataplane.Tunnel {
	if t.Spec.Plane == overlay.PlaneEBPF {
		t.Spec.Plane = overlay.PlaneKernel
	}
	return t
}
