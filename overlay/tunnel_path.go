package overlay

import (
	"net/netip"
	"strings"
)

// TunnelPath is what a node has found out of the way to a tunnel's peer.
type TunnelPath struct {
	// Remote is what a DNS name stands for now; invalid: nobody knows.
	Remote netip.Addr
	// Down: the peer does not answer.
	Down bool
}

// tunnelPort begins the names of the ports that tunnels are; no endpoint's name has a slash.
const tunnelPort = "tunnel/"

// Port is the endpoint that a tunnel is in the network which it is attached to.
func (t *Tunnel) Port() *Endpoint {
	return &Endpoint{
		Meta: Meta{Kind: KindEndpoint, Network: t.Network, Name: tunnelPort + t.Name, Revision: t.Revision},
		Spec: EndpointSpec{
			Node: t.Spec.Node, Port: PortSegment,
			Attach: Attach{Type: AttachTunnel, Target: t.Spec.Complete(TunnelName(t.Name)).Device},
		},
	}
}

// Tunnel is the tunnel whose port has the name; false: it is an endpoint's own.
func (e EndpointName) Tunnel() (TunnelName, bool) {
	name, ok := strings.CutPrefix(string(e), tunnelPort)
	return TunnelName(name), ok
}
