package overlay

import (
	"fmt"
	"strings"
	"time"
)

// Kind names a type of resource.
type Kind string

const (
	KindNode     Kind = "Node"
	KindNetwork  Kind = "Network"
	KindBlock    Kind = "Block"
	KindEndpoint Kind = "Endpoint"
	// KindTunnel is of a network or of none: then its tunnels stand alone on their nodes.
	KindTunnel Kind = "Tunnel"
	// KindToken is a join or login token; only servers and administrators see it.
	KindToken Kind = "Token"
	// KindRevocation refuses certificates; servers make it.
	KindRevocation Kind = "Revocation"
)

// Kinds lists all kinds, in the order in which they can be created.
func Kinds() []Kind {
	return []Kind{KindNode, KindToken, KindRevocation, KindNetwork, KindBlock, KindTunnel, KindEndpoint}
}

// ParseKind reads a kind's name in any case, singular or plural.
func ParseKind(s string) (Kind, error) {
	for _, k := range Kinds() {
		if strings.EqualFold(s, string(k)) || strings.EqualFold(s, string(k)+"s") {
			return k, nil
		}
	}
	return "", fmt.Errorf("kind %q is unknown: want node, network, block, endpoint, tunnel, token or revocation", s)
}

// OnlyNamed reports whether the kind concerns only those who ask for it by name:
// it is about who may do what, and no network.
func (k Kind) OnlyNamed() bool { return k == KindToken || k == KindRevocation }

// Networked reports whether resources of the kind belong to a network, or may.
func (k Kind) Networked() bool { return k == KindBlock || k == KindEndpoint || k == KindTunnel }

// StandsAlone reports whether resources of a networked kind may belong to none.
func (k Kind) StandsAlone() bool { return k == KindTunnel }

// Key identifies a resource. Network is empty for kinds that belong to none.
type Key struct {
	Kind    Kind        `json:"kind"`
	Network NetworkName `json:"network,omitempty"`
	Name    string      `json:"name"`
}

// String is what people read: "endpoint blue/web" or "node a".
func (k Key) String() string {
	kind := strings.ToLower(string(k.Kind))
	if k.Network == "" {
		return kind + " " + k.Name
	}
	return kind + " " + string(k.Network) + "/" + k.Name
}

// Meta is what every resource has. UID, Generation, Revision and Created are
// set by the store; what a writer puts there is ignored.
type Meta struct {
	Kind    Kind        `json:"kind"`
	Network NetworkName `json:"network,omitempty"`
	Name    string      `json:"name"`
	// UID is new for each creation: a name may be reused, a UID never.
	UID string `json:"uid,omitempty"`
	// Generation counts changes of the spec, from 1.
	Generation int64 `json:"generation,omitempty"`
	// Revision is the store's number for the last change, spec or status.
	Revision int64     `json:"revision,omitempty"`
	Created  time.Time `json:"created,omitzero"`
}

// Key identifies the resource.
func (m *Meta) Key() Key { return Key{Kind: m.Kind, Network: m.Network, Name: m.Name} }

// Header gives access to the common part.
func (m *Meta) Header() *Meta { return m }

// Claim is something only one resource at a time may hold, such as an address
// in a network. Stores refuse a write whose claims another resource holds, in
// the same transaction: that is what makes duplicates impossible.
type Claim string

// Resource is a Node, Network, Block, Endpoint, Tunnel, Token or Revocation, by pointer.
type Resource interface {
	Key() Key
	Header() *Meta
	// Validate reports the first thing that is wrong with the spec by itself.
	Validate() error
	// Claims lists what the resource holds exclusively.
	Claims() []Claim
	// Needs lists the resources that must exist for this one to be written,
	// and that cannot be deleted while it exists.
	Needs() []Key
}

// Copy returns a copy whose header, spec and status can be set anew; what they point to is shared.
func Copy(r Resource) Resource {
	switch r := r.(type) {
	case *Node:
		return shallow(r)
	case *Network:
		return shallow(r)
	case *Block:
		return shallow(r)
	case *Endpoint:
		return shallow(r)
	case *Tunnel:
		return shallow(r)
	case *Token:
		return shallow(r)
	case *Revocation:
		return shallow(r)
	}
	panic(fmt.Sprintf("copy of a %T", r))
}

func shallow[T any](r *T) *T {
	c := *r
	return &c
}

// New returns an empty resource of the kind, or nil when the kind is unknown.
func New(kind Kind) Resource {
	switch kind {
	case KindNode:
		return &Node{Meta: Meta{Kind: kind}}
	case KindNetwork:
		return &Network{Meta: Meta{Kind: kind}}
	case KindBlock:
		return &Block{Meta: Meta{Kind: kind}}
	case KindEndpoint:
		return &Endpoint{Meta: Meta{Kind: kind}}
	case KindTunnel:
		return &Tunnel{Meta: Meta{Kind: kind}}
	case KindToken:
		return &Token{Meta: Meta{Kind: kind}}
	case KindRevocation:
		return &Revocation{Meta: Meta{Kind: kind}}
	}
	return nil
}
