package agentapi

import (
	"context"
	"net/netip"
	"path/filepath"
	"time"

	"weft/dataplane"
	"weft/overlay"
)

// SocketName is the socket's name in the run directory.
const SocketName = "agent.sock"

// Socket is the path of the agent's socket in a run directory.
func Socket(runDir string) string { return filepath.Join(runDir, SocketName) }

// Service is what an agent does for root on its node.
type Service interface {
	// Attach makes an endpoint, and returns it when it works on this host.
	// What exists already as it was asked for is left as it is.
	Attach(context.Context, AttachRequest) (Attachment, error)
	// Detach removes an endpoint, and returns when it is gone from this host.
	Detach(context.Context, DetachRequest) error
	// Status says how far this node is from what is wanted.
	Status(context.Context) (NodeReport, error)
	// View reads one network from the host.
	View(context.Context, overlay.NetworkName) (dataplane.NetworkView, error)
	// Plan lists the operations that would make this host match now.
	Plan(context.Context) ([]string, error)
	// Explain lists the commands that would build one network by hand, or all
	// if the name is empty.
	Explain(context.Context, overlay.NetworkName) ([]string, error)
	// Endpoints lists this node's endpoints of one network, or all if the
	// name is empty.
	Endpoints(context.Context, overlay.NetworkName) ([]*overlay.Endpoint, error)
	// Declare makes a host that follows no server be what is declared, and nothing else, and
	// returns when it is.
	Declare(context.Context, Declaration) error
	// Declared is what there is for such a host to follow: complete, and with the node itself.
	Declared(context.Context) (Declared, error)
	// Stop ends the agent of such a host, which then is declared to be nothing.
	Stop(context.Context) error
	// Dropped lists packets that this node has dropped, as [dataplane.Dropped] says.
	Dropped(context.Context, DroppedRequest) (dataplane.Dropped, error)
}

// DroppedRequest asks for packets that were dropped on this node.
type DroppedRequest struct {
	// Network is the one that they are of [any, and none].
	Network overlay.NetworkName
	// After is the number of the last one that is known already: the answer waits a while
	// for those after it. 0 asks for those that are remembered.
	After uint64
}

// AttachRequest asks for an endpoint on this node.
type AttachRequest struct {
	Network overlay.NetworkName `json:"network"`
	// Name of the endpoint [chosen].
	Name overlay.EndpointName `json:"name,omitempty"`
	// Type of the port's other end: netns, tap, veth or bridge.
	Type overlay.AttachType `json:"type"`
	// Target is a namespace's name, path or process id, or the name of the
	// tap, veth or bridge.
	Target string `json:"target"`
	// Interface is the name inside the namespace [eth0].
	Interface string `json:"interface,omitempty"`
	// MAC and Addresses [chosen].
	MAC       overlay.MAC  `json:"mac,omitzero"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// Lifetime is bound or kept [bound].
	Lifetime overlay.Lifetime `json:"lifetime,omitempty"`
}

// Attachment is an endpoint that works, and what whoever asked for it has to know
// to use it.
type Attachment struct {
	Endpoint *overlay.Endpoint `json:"endpoint"`
	// Gateways are the network's gateway addresses, at most one of each family.
	Gateways []netip.Addr `json:"gateways,omitempty"`
	// MTU of the port, in bytes.
	MTU int `json:"mtu"`
	// Problems are what the network cannot do on this node, a line each.
	Problems []string `json:"problems,omitempty"`
}

// DetachRequest names an endpoint of this node.
type DetachRequest struct {
	Network overlay.NetworkName  `json:"network"`
	Name    overlay.EndpointName `json:"name"`
}

// Declaration is what a host is to be that follows no server (weft apply --local).
type Declaration struct {
	// Node is what the file calls this host; empty: by the name that it has, or not at all.
	Node overlay.NodeName `json:"node,omitempty"`
	// Underlay are the host's underlay addresses [the near ends of the tunnels, or else those of
	// the default routes].
	Underlay  []netip.Addr        `json:"underlay,omitempty"`
	Networks  []*overlay.Network  `json:"networks,omitempty"`
	Endpoints []*overlay.Endpoint `json:"endpoints,omitempty"`
	Tunnels   []*overlay.Tunnel   `json:"tunnels,omitempty"`
}

// Declared are the resources that a host follows that follows no server, by kind and name.
type Declared struct {
	Nodes     []*overlay.Node     `json:"nodes,omitempty"`
	Networks  []*overlay.Network  `json:"networks,omitempty"`
	Blocks    []*overlay.Block    `json:"blocks,omitempty"`
	Tunnels   []*overlay.Tunnel   `json:"tunnels,omitempty"`
	Endpoints []*overlay.Endpoint `json:"endpoints,omitempty"`
}

// Done is the answer of what has nothing to tell but that it is done.
type Done struct{}

// NodeReport is one node as its agent sees it.
type NodeReport struct {
	Node    overlay.NodeName `json:"node"`
	Version string           `json:"version"`
	// Started is when the agent did.
	Started  time.Time      `json:"started"`
	Underlay []netip.Prefix `json:"underlay"`
	Server   Connection     `json:"server"`
	// FollowsFile: the host follows what weft apply --local declared, and no server.
	FollowsFile bool `json:"followsFile,omitempty"`
	// Hold says why nothing is withdrawn at present; empty when the agent is
	// not on hold.
	Hold string `json:"hold,omitempty"`
	// Held says, for single networks, why they are left as they are.
	Held map[overlay.NetworkName]string `json:"held,omitempty"`
	// Networks that this node takes part in, by name.
	Networks []overlay.NetworkReport `json:"networks"`
	// Tunnels of this node, by network and name.
	Tunnels []overlay.TunnelReport `json:"tunnels,omitempty"`
	// Drops counts tunnel packets that are of no network on this node.
	Drops overlay.Drops `json:"drops,omitempty"`
}

// Connection is an agent's connection to the servers.
type Connection struct {
	// Server is the address in use, or tried last.
	Server    string `json:"server"`
	Connected bool   `json:"connected"`
	// Since is when it was made or lost.
	Since time.Time `json:"since,omitzero"`
	// Error says why there is none.
	Error string `json:"error,omitempty"`
	// Revision of the store that the agent has seen.
	Revision overlay.Revision `json:"revision"`
}
