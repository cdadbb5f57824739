package plan

import (
	"slices"

	"weft/overlay"
)

// places are a network's endpoints by node.
type places map[overlay.NodeName]*place

// place is one node's share. A node takes part when it has a port: stations
// alone are what is left of one.
type place struct {
	endpoints []*overlay.Endpoint
	ports     int
}

func (p places) takesPart(node overlay.NodeName) bool {
	return p[node] != nil && p[node].ports > 0
}

// on lists the endpoints on a node.
func (p places) on(node overlay.NodeName) []*overlay.Endpoint {
	if p[node] == nil {
		return nil
	}
	return p[node].endpoints
}

func (p places) add(e *overlay.Endpoint) {
	at := p[e.Spec.Node]
	if at == nil {
		at = &place{}
		p[e.Spec.Node] = at
	}
	at.endpoints = append(at.endpoints, e)
	if isPort(e) {
		at.ports++
	}
}

func (p places) remove(e *overlay.Endpoint) {
	at := p[e.Spec.Node]
	last := len(at.endpoints) - 1
	at.endpoints[slices.Index(at.endpoints, e)] = at.endpoints[last]
	at.endpoints[last] = nil
	at.endpoints = at.endpoints[:last]
	if isPort(e) {
		at.ports--
	}
	if last == 0 {
		delete(p, e.Spec.Node)
	}
}

func isPort(e *overlay.Endpoint) bool { return e.Spec.Port != overlay.PortStation }
