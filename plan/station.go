package plan

import (
	"iter"

	"weft/overlay"
)

// ips yields the addresses of an endpoint, the link-local one last: what
// Endpoint.IPs returns, without a slice for each of 100,000.
func ips(e *overlay.Endpoint) iter.Seq[address] {
	return func(yield func(address) bool) {
		for _, a := range e.Spec.Addresses {
			if !yield(a) {
				return
			}
		}
		if !e.Spec.MAC.IsZero() {
			yield(e.Spec.MAC.LinkLocal())
		}
	}
}

// remote is the entry of a MAC in State's Remotes: the member on which e,
// which has it, is. Gateways are on every node and have none.
func (f *frame) remote(m overlay.MAC, e *overlay.Endpoint) (overlay.NodeName, bool) {
	_, member := f.members[e.Spec.Node]
	return e.Spec.Node, member && f.Kind == overlay.Bridged && m != f.GatewayMAC
}

// neighbor is the entry of an address in State's Neighbors: the MAC of e,
// which has it. The gateway's addresses are answered by every node itself.
func (f *frame) neighbor(a address, e *overlay.Endpoint) (overlay.MAC, bool) {
	_, known := f.members[e.Spec.Node]
	known = known || e.Spec.Node == overlay.NodeName(f.self.Name)
	if !known || f.Kind != overlay.Bridged || e.Spec.MAC == f.GatewayMAC {
		return overlay.MAC{}, false
	}
	for _, g := range f.Gateways {
		if a == g.Addr() {
			return overlay.MAC{}, false
		}
	}
	return e.Spec.MAC, true
}
