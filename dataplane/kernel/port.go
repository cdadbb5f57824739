package kernel

import (
	"errors"
	"fmt"
	"maps"

	"weft/dataplane"
	"weft/overlay"
)

// OpError says that a change could not be made, and how far the others before it
// got.
type OpError struct {
	// Network is empty for what belongs to none.
	Network overlay.NetworkName
	Op      Op
	// Done of Total changes were made before.
	Done, Total int
	Err         error
}

func (e *OpError) Error() string {
	var why *reason
	of := ""
	if e.Network != "" {
		of = fmt.Sprintf("network %s: ", e.Network)
	}
	if errors.As(e.Err, &why) {
		return of + why.Error()
	}
	return fmt.Sprintf("%s%v (%q, after %d of %d changes)", of, e.Err, e.Op, e.Done, e.Total)
}

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// Concerns implements [dataplane.Failure].
func (e *OpError) Concerns() (overlay.NetworkName, overlay.EndpointName) { return e.Network, "" }

// PortError says that a port could not be made; the rest of the network is as wanted.
type PortError struct {
	Network overlay.NetworkName
	Port    overlay.EndpointName
	Err     error
}

func (e *PortError) Error() string {
	return fmt.Sprintf("attach endpoint %s/%s: %v", e.Network, e.Port, e.Err)
}

// Unwrap returns the cause.
func (e *PortError) Unwrap() error { return e.Err }

// Concerns implements [dataplane.Failure].
func (e *PortError) Concerns() (overlay.NetworkName, overlay.EndpointName) { return e.Network, e.Port }

// portSet is a set of ports.
type portSet map[overlay.EndpointName]struct{}

// without is the network without these ports.
func (s portSet) without(n dataplane.Network) dataplane.Network {
	if len(s) > 0 {
		n.Ports = maps.Clone(n.Ports)
		maps.DeleteFunc(n.Ports, func(name overlay.EndpointName, _ dataplane.Port) bool { _, out := s[name]; return out })
	}
	return n
}

// refused are the ports that the last Apply could not make although their workload's
// namespace is there.
func (p *Plane) refused(name overlay.NetworkName) portSet {
	refused := maps.Clone(p.out[name])
	for port := range p.gone[name] {
		delete(refused, port)
	}
	return refused
}

// findGone returns those of the ports whose workload's namespace has gone, and
// announces those of them that were there until now.
func (p *Plane) findGone(n dataplane.Network, ports map[overlay.EndpointName]dataplane.Port) portSet {
	if p.gone[n.Name] == nil {
		p.gone[n.Name] = portSet{}
	}
	announced, gone := p.gone[n.Name], portSet{}
	for name, port := range ports {
		if !namespaceAway(port.Attach) {
			delete(announced, name)
			continue
		}
		gone[name] = struct{}{}
		if _, before := announced[name]; !before {
			announced[name] = struct{}{}
			p.outbox.put(dataplane.Event{Kind: dataplane.EventPortGone, Network: n.Name, Port: name})
		}
	}
	return gone
}

// portOf is the port that a failed change was for.
func portOf(n dataplane.Network, err error) (overlay.EndpointName, bool) {
	var failed *OpError
	if !errors.As(err, &failed) {
		return "", false
	}
	ids := linksOf(failed.Op)
	for name, p := range n.Ports {
		for _, id := range ids {
			far := id.NS == NS(p.Attach.Target) && id.Name == interfaceOf(p)
			if id.Name == p.Device || far || id == (LinkID{Host, p.Attach.Target}) {
				return name, true
			}
		}
	}
	return "", false
}

// linksOf are the links that a change is made to.
func linksOf(op Op) []LinkID {
	switch o := op.(type) {
	case addLink:
		return []LinkID{o.ID, o.Link.Peer}
	case setLink:
		return []LinkID{o.ID}
	case forwardTunnel:
		return []LinkID{o.ID}
	case setUnaided:
		return []LinkID{o.ID}
	case changeTunnel:
		return []LinkID{o.ID}
	case setCarried:
		return []LinkID{o.ID}
	case setTunnel:
		return []LinkID{o.Link}
	case setBridgePort:
		return []LinkID{o.ID}
	case setUp:
		return []LinkID{o.ID}
	case addAddress:
		return []LinkID{o.Link}
	case addRedirect:
		return []LinkID{o.From}
	case setAnswer:
		return []LinkID{o.From}
	case setStation:
		return []LinkID{{o.Bridge.NS, o.Station.Port}}
	case addPublished:
		return []LinkID{{o.Bridge.NS, o.Port}}
	case setNeighbor:
		return []LinkID{o.Link}
	case addRoute:
		return []LinkID{{o.NS, o.Device}}
	case changeRoute:
		return []LinkID{{o.NS, o.Device}}
	}
	return nil
}
