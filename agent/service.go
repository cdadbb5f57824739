package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"weft/api"
	"weft/api/agentapi"
	"weft/control"
	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/overlay"
	"weft/store"
)

// service is what the agent does for root on its node.
type service struct {
	node    overlay.NodeName
	version string
	started time.Time
	client  home
	// local is set on a host that follows no server, and stop ends it.
	local *local
	stop  context.CancelFunc
	loop  *control.Loop
	plane *kernel.Plane
	// netnsDir is where the networks' namespaces are named.
	netnsDir string
	attaches turns
}

var _ agentapi.Service = (*service)(nil)

// beginTime is how long a request waits for an agent that has just started.
const beginTime = 10 * time.Second

// begun waits until the agent knows what it has: before that it would take its
// own endpoints for somebody else's.
func (s *service) begun(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, beginTime)
	defer cancel()
	if err := s.loop.Begun(waiting); err != nil {
		return fmt.Errorf("this node has not heard from a server yet (%w); weft status says more: %w", err, store.ErrUnavailable)
	}
	return nil
}

// Detach implements agentapi.Service.
func (s *service) Detach(ctx context.Context, r agentapi.DetachRequest) error {
	if err := s.refuseIfLocal(); err != nil {
		return err
	}
	if err := s.begun(ctx); err != nil {
		return err
	}
	own, err := s.Endpoints(ctx, r.Network)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(own, func(e *overlay.Endpoint) bool { return e.Name == string(r.Name) })
	k := overlay.Key{Kind: overlay.KindEndpoint, Network: r.Network, Name: string(r.Name)}
	if i < 0 {
		return fmt.Errorf("%s: %w on this node; weft endpoint ls shows where it is", k, store.ErrNotFound)
	}
	return s.remove(ctx, k)
}

// detachTries bounds how often stations that appear while their port goes are withdrawn.
const detachTries = 8

// remove deletes an endpoint, and returns when its port is gone.
func (s *service) remove(ctx context.Context, k overlay.Key) error {
	revision, err := s.withdraw(ctx, k)
	if err != nil {
		return err
	}
	return s.loop.Drop(ctx, k, revision.Number)
}

// withdraw deletes an endpoint from the store, with the stations behind it.
func (s *service) withdraw(ctx context.Context, k overlay.Key) (overlay.Revision, error) {
	var last []overlay.Key // that the store named
	for try := 1; ; try++ {
		// A loop that has ended knows no stations; those in the way the store names.
		behind, err := s.loop.StationsVia(ctx, k.Network, overlay.EndpointName(k.Name))
		if err != nil && ctx.Err() != nil {
			return overlay.Revision{}, err
		}
		for _, station := range append(behind, last...) {
			_, _, err := s.client.Update(ctx, store.Change{Delete: station, Expect: store.Any})
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return overlay.Revision{}, err
			}
		}
		_, revision, err := s.client.Update(ctx, store.Change{Delete: k, Expect: store.Any})
		if inUse := (*store.InUseError)(nil); errors.As(err, &inUse) && inUse.By.Kind == overlay.KindEndpoint && try < detachTries {
			last = []overlay.Key{inUse.By}
			continue
		}
		return revision, err
	}
}

// Status implements agentapi.Service.
func (s *service) Status(ctx context.Context) (agentapi.NodeReport, error) {
	now, err := s.loop.Status(ctx)
	if err != nil {
		return agentapi.NodeReport{}, err
	}
	return agentapi.NodeReport{
		Node: s.node, Version: s.version, Started: s.started, Underlay: now.Underlay,
		Server: agentapi.Connection{
			Server: s.client.Server(), Connected: now.Connected, Since: now.ConnectedSince, Error: now.ConnectionError, Revision: now.Revision,
		},
		FollowsFile: s.local != nil,
		Hold:        now.Hold, Held: now.Held, Networks: now.Networks, Tunnels: now.Tunnels, Drops: now.Drops,
	}, nil
}

// View implements agentapi.Service.
func (s *service) View(ctx context.Context, network overlay.NetworkName) (dataplane.NetworkView, error) {
	if err := s.takesPart(ctx, network); err != nil {
		return dataplane.NetworkView{}, err
	}
	seen, err := s.plane.Observe(ctx, network)
	return seen.Networks[network], err
}

// droppedTime is how long a request for packets waits for one that will be dropped.
const droppedTime = 10 * time.Second

// Dropped implements agentapi.Service.
func (s *service) Dropped(ctx context.Context, r agentapi.DroppedRequest) (dataplane.Dropped, error) {
	if r.Network != "" {
		state, err := s.loop.State(ctx)
		if err != nil {
			return dataplane.Dropped{}, err
		}
		if n, ok := state.Networks[r.Network]; ok && n.Plane != overlay.PlaneEBPF {
			return dataplane.Dropped{}, api.Invalid("weft traffic shows how many it dropped, by why",
				"network %s is on plane %s, which counts what it drops and does not show it", r.Network, n.Plane)
		}
		if err := s.takesPart(ctx, r.Network); err != nil {
			return dataplane.Dropped{}, err
		}
	}
	waiting, cancel := context.WithTimeout(ctx, droppedTime)
	defer cancel()
	return s.plane.Dropped(waiting, r.Network, r.After), nil
}

// Plan implements agentapi.Service.
func (s *service) Plan(ctx context.Context) ([]string, error) {
	state, err := s.loop.State(ctx)
	if err != nil {
		return nil, err
	}
	return s.plane.Preview(ctx, state)
}

// Explain implements agentapi.Service.
func (s *service) Explain(ctx context.Context, network overlay.NetworkName) ([]string, error) {
	if network != "" {
		if err := s.takesPart(ctx, network); err != nil {
			return nil, err
		}
	}
	state, err := s.loop.State(ctx)
	if err != nil {
		return nil, err
	}
	if network != "" {
		state.Networks = map[overlay.NetworkName]dataplane.Network{network: state.Networks[network]}
		state.Tunnels = nil // they stand alone
	}
	return s.plane.Explain(state)
}

// takesPart refuses networks in which this node has no endpoint.
func (s *service) takesPart(ctx context.Context, network overlay.NetworkName) error {
	state, err := s.loop.State(ctx)
	if err != nil {
		return err
	}
	if _, ok := state.Networks[network]; ok {
		return nil
	}
	if problems := state.Problems[network]; len(problems) > 0 {
		return fmt.Errorf("network %s: %s", network, problems[0])
	}
	return fmt.Errorf("network %s: %w on this node: a network is built where it has an endpoint", network, store.ErrNotFound)
}

// Endpoints implements agentapi.Service.
func (s *service) Endpoints(ctx context.Context, network overlay.NetworkName) ([]*overlay.Endpoint, error) {
	return s.loop.Endpoints(ctx, network)
}
