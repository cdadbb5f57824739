package kernel

import (
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
	direct := map[overlay.NetworkName]nft.Direct{}
	for name, n := range s.Networks {
		if hasDirect(n) {
			direct[name] = directFilter(n, devices)
		}
	}
	guard, host := NewObjects(), LowerHost(s)
	guard.Filters[Host] = nft.Host(s.Networks, nil)
	host.Filters[Host] = nft.Host(s.Networks, direct)
	var lines []string
	for _, step := range []struct{ want, have Objects }{
		{guard, NewObjects()}, {Lower(s, dir), NewObjects()}, {host, guard},
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
