package overlay

import (
	"fmt"
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

// checkWayOut checks the way to a remote that is an address.
func (t *Tunnel) checkWayOut(s TunnelSpec) error {
	if remote, isAddr := s.RemoteAddr(); isAddr {
		return t.LeadsInto(remote, remote.BitLen()-1)
	}
	return nil
}

// LeadsInto says that a route of the tunnel leads its own packets into it, as it covers the remote
// more closely than the way there, which has a prefix of so many bits. In a network routes are not
// the host's, and of default routes the host has a way around.
func (t *Tunnel) LeadsInto(remote netip.Addr, bits int) error {
	for _, r := range t.Spec.Routes {
		if t.Network == "" && r.Prefix.Bits() > bits && r.Prefix.Contains(remote) {
			return fmt.Errorf("route %s would lead the tunnel's own packets to remote %s into the tunnel; want routes to what is behind the peer alone", r.Prefix, remote)
		}
	}
	return nil
}
