package kernel

import (
	"fmt"
	"maps"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/overlay"
)

// attachable is the network without the ports whose namespace is away: it does
// not exist, or another one has its name. They are not errors: their endpoints
// are about to be detached, or kept until the namespace comes back; either is
// decided elsewhere, and must not keep the rest of the network from being built.
// away says of each what is waited for.
func attachable(n dataplane.Network) (there dataplane.Network, away []string) {
	gone := map[overlay.EndpointName]struct{}{}
	for name, port := range n.Ports {
		if namespaceAway(port.Attach) {
			gone[name] = struct{}{}
			away = append(away, fmt.Sprintf("endpoint %s waits for its namespace %s", name, port.Attach.Target))
		}
	}
	if len(gone) > 0 {
		n.Ports = maps.Clone(n.Ports)
		maps.DeleteFunc(n.Ports, func(name overlay.EndpointName, _ dataplane.Port) bool { _, ok := gone[name]; return ok })
	}
	return n, away
}

func namespaceAway(at overlay.Attach) bool {
	if at.Type != overlay.AttachNetns {
		return false
	}
	id, err := netns.ID(at.Target)
	return err != nil || at.Identity != "" && at.Identity != id.String()
}
