package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"weft/api"
	"weft/api/agentapi"
	"weft/control"
	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/internal/netns"
	"weft/overlay"
	"weft/store"
)

// service is what the agent does for root on its node.
type service struct {
	node    overlay.NodeName
	version string
	started time.Time
	client  *api.Client
	loop    *control.Loop
	plane   *kernel.Plane
	// netnsDir is where the networks' namespaces are named.
	netnsDir string
}

var _ agentapi.Service = (*service)(nil)

// undoTime is how long an attach that failed may take to be undone.
const undoTime = 10 * time.Second

// Attach implements agentapi.Service.
func (s *service) Attach(ctx context.Context, r agentapi.AttachRequest) (agentapi.Attachment, error) {
	e, err := s.endpoint(r)
	if err != nil {
		return agentapi.Attachment{}, err
	}
	if err := s.begun(ctx); err != nil {
		return agentapi.Attachment{}, err
	}
	have, err := s.same(ctx, e)
	if err != nil {
		return agentapi.Attachment{}, err
	}
	if have != nil {
		if err := s.loop.Ensure(ctx, have); err != nil {
			return agentapi.Attachment{}, err
		}
		return s.attachment(ctx, have)
	}
	if e.Spec.Attach.Identity, err = precheck(e.Spec.Attach, s.netnsDir); err != nil {
		return agentapi.Attachment{}, err
	}
	stored, err := s.create(ctx, e, r.Name == "")
	if err != nil {
		return agentapi.Attachment{}, err
	}
	if err := s.loop.Ensure(ctx, stored); err != nil {
		return agentapi.Attachment{}, errors.Join(err, s.undo(ctx, stored))
	}
	return s.attachment(ctx, stored)
}

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

// attachment adds what the network says to an endpoint that works.
func (s *service) attachment(ctx context.Context, e *overlay.Endpoint) (agentapi.Attachment, error) {
	state, err := s.loop.State(ctx)
	if err != nil {
		return agentapi.Attachment{}, err
	}
	network := state.Networks[e.Network]
	made := agentapi.Attachment{Endpoint: e, MTU: network.MTU, Problems: state.Problems[e.Network]}
	for _, g := range network.Gateways {
		made.Gateways = append(made.Gateways, g.Addr())
	}
	return made, nil
}

// endpoint is the request as a resource, without what the server chooses.
func (s *service) endpoint(r agentapi.AttachRequest) (*overlay.Endpoint, error) {
	at := overlay.Attach{Type: r.Type, Target: r.Target}
	port := overlay.PortSingle
	switch r.Type {
	case overlay.AttachNetns:
		path, err := netns.Resolve(r.Target)
		if err != nil {
			return nil, api.Invalid("", "%v", err)
		}
		at.Target, at.Interface = path, r.Interface
		if at.Interface == "" {
			at.Interface = "eth0"
		}
	case overlay.AttachBridge:
		port = overlay.PortSegment
	}
	if r.Interface != "" && r.Type != overlay.AttachNetns {
		return nil, api.Invalid("leave --ifname out", "--ifname names an interface inside a namespace; a %s has its own name", r.Type)
	}
	name := r.Name
	if name == "" {
		name = nameFor(at)
	}
	e := &overlay.Endpoint{
		Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: r.Network, Name: string(name)},
		Spec: overlay.EndpointSpec{
			Node: s.node, Port: port, MAC: r.MAC, Addresses: r.Addresses, Attach: at, Lifetime: r.Lifetime,
		},
	}
	if err := e.Validate(); err != nil {
		return nil, api.Invalid("", "%v", err)
	}
	return e, nil
}

var unfitForName = regexp.MustCompile(`[^a-z0-9-]+`)

// nameFor makes an endpoint's name out of what it is attached to: the
// namespace's name or process, or the device's.
func nameFor(at overlay.Attach) overlay.EndpointName {
	name := filepath.Base(at.Target)
	if pid, ok := strings.CutPrefix(at.Target, "/proc/"); ok {
		name = "pid-" + strings.SplitN(pid, "/", 2)[0]
	}
	name = strings.Trim(unfitForName.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if len(name) > overlay.MaxName-4 {
		name = strings.Trim(name[:overlay.MaxName-4], "-")
	}
	if name == "" {
		name = "port"
	}
	return overlay.EndpointName(name)
}

// create writes the endpoint; a chosen name that is taken gets a number.
func (s *service) create(ctx context.Context, e *overlay.Endpoint, chosen bool) (*overlay.Endpoint, error) {
	base := e.Name
	for n := 2; ; n++ {
		r, _, err := s.client.Update(ctx, store.Change{Put: e, Expect: store.Absent})
		var taken *store.ConflictError
		if chosen && n < 100 && errors.As(err, &taken) && taken.Key == e.Key() {
			again := *e
			again.Name = base + "-" + strconv.Itoa(n)
			e = &again
			continue
		}
		if err != nil {
			return nil, err
		}
		return r.(*overlay.Endpoint), nil
	}
}

// same finds the endpoint of this node that is attached to the same place in
// the same network already; nil when there is none.
func (s *service) same(ctx context.Context, e *overlay.Endpoint) (*overlay.Endpoint, error) {
	own, err := s.Endpoints(ctx, e.Network)
	if err != nil {
		return nil, err
	}
	for _, have := range own {
		at, want := have.Spec.Attach, e.Spec.Attach
		if at.Type != want.Type || at.Target != want.Target || at.Interface != want.Interface {
			continue
		}
		if at.Type == overlay.AttachNetns {
			if id, err := netns.ID(at.Target); err != nil || id.String() != at.Identity {
				continue // of an earlier namespace under this name
			}
		}
		if !satisfies(have, e) {
			return nil, api.Invalid("detach it first", "%s is attached as %s already, otherwise than asked for now", at.Target, have.Key())
		}
		return have, nil
	}
	return nil, nil
}

func satisfies(have, want *overlay.Endpoint) bool {
	for _, a := range want.Spec.Addresses {
		if !slices.Contains(have.Spec.Addresses, a) {
			return false
		}
	}
	return (want.Spec.MAC.IsZero() || want.Spec.MAC == have.Spec.MAC) &&
		(want.Spec.Lifetime == "" || want.Spec.Lifetime == have.Spec.Lifetime)
}

// undo takes back an endpoint that the host could not be given.
func (s *service) undo(ctx context.Context, e *overlay.Endpoint) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	revision, err := s.withdraw(ctx, e.Key())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil // somebody else was faster
	case err != nil:
		return fmt.Errorf("%s stays in the store: %w", e.Key(), err)
	}
	// Whatever keeps the port from going is what kept it from coming; that is
	// known already, and tried again.
	_ = s.loop.Drop(ctx, e.Key(), revision.Number)
	return nil
}

// Detach implements agentapi.Service.
func (s *service) Detach(ctx context.Context, r agentapi.DetachRequest) error {
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
		behind, err := s.loop.StationsVia(ctx, k.Network, overlay.EndpointName(k.Name))
		if err != nil {
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
		Hold: now.Hold, Held: now.Held, Networks: now.Networks, Drops: now.Drops,
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
