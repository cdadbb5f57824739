package kernel

import (
	"cmp"
	"fmt"

	"weft/dataplane"
	"weft/overlay"
)

// misled says which of a network's members will not take this node's packets, a line each. The
// kernel's geneve link cannot be told a source address (drivers/net/geneve.c, struct
// geneve_config): it sends as the host routes, and members take packets from the address alone that
// the registry has of this node.
func (h *hand) misled(n dataplane.Network) (lines []string, err error) {
	if !hasMemberLinks(n) || n.Encapsulation != overlay.EncapGeneve {
		return nil, nil
	}
	s, err := h.in(Host)
	if err != nil {
		return nil, err
	}
	for _, node := range dataplane.SortedKeys(n.Members, cmp.Compare[overlay.NodeName]) {
		vtep := n.Members[node].VTEP
		r, err := s.routeTo(vtep)
		if err != nil {
			return lines, err
		}
		if r.source.IsValid() && r.source != n.Local {
			lines = append(lines, fmt.Sprintf("geneve packets to node %s leave from %s, and it takes them from %s alone: have this host's route to %s say so (ip route change … src %s), or have the network on plane ebpf",
				node, r.source, n.Local, vtep, n.Local))
		}
	}
	return lines, nil
}
