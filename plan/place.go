package plan

import (
	"maps"
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

// placesOf sorts endpoints by node. It reads some hundred of them before it
// looks for their places: why, see tables.
func placesOf(endpoints map[overlay.EndpointName]*overlay.Endpoint) places {
	at := places{}
	var nodes []overlay.NodeName
	all := slices.AppendSeq(make([]*overlay.Endpoint, 0, len(endpoints)), maps.Values(endpoints))
	for some := range slices.Chunk(all, 256) {
		nodes = nodes[:0]
		for _, e := range some {
			nodes = append(nodes, e.Spec.Node)
		}
		for i, node := range nodes {
			at.at(node).add(some[i])
		}
	}
	return at
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

func (p places) add(e *overlay.Endpoint) { p.at(e.Spec.Node).add(e) }

// at is a node's place, a new one if it had none.
func (p places) at(node overlay.NodeName) *place {
	at := p[node]
	if at == nil {
		at = &place{}
		p[node] = at
	}
	return at
}

func (p *place) add(e *overlay.Endpoint) {
	p.endpoints = append(p.endpoints, e)
	if isPort(e) {
		p.ports++
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
