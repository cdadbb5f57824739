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
	"weft/internal/netns"
	"weft/overlay"
	"weft/store"
)

// Attach implements agentapi.Service. Asked again, it gives what it gave, also
// when the answer to the first time never arrived: the agent was killed or the
// connection cut off after the endpoint was written.
func (s *service) Attach(ctx context.Context, r agentapi.AttachRequest) (agentapi.Attachment, error) {
	if err := s.refuseIfLocal(); err != nil {
		return agentapi.Attachment{}, err
	}
	e, err := s.endpoint(r)
	if err != nil {
		return agentapi.Attachment{}, err
	}
	if err := s.begun(ctx); err != nil {
		return agentapi.Attachment{}, err
	}
	done, err := s.attaches.take(ctx, e.Spec.Attach)
	if err != nil {
		return agentapi.Attachment{}, err
	}
	defer done()
	have, err := s.same(ctx, e, r.Name)
	if err != nil {
		return agentapi.Attachment{}, err
	}
	if have != nil {
		return s.ensure(ctx, have)
	}
	if e.Spec.Attach.Identity, err = precheck(e.Spec.Attach, s.netnsDir); err != nil {
		return agentapi.Attachment{}, err
	}
	stored, err := s.create(ctx, e, r.Name == "")
	if err != nil {
		if have := s.inTheWay(ctx, err, e, r.Name); have != nil {
			return s.ensure(ctx, have)
		}
		return agentapi.Attachment{}, err
	}
	made, err := s.ensure(ctx, stored)
	if err != nil {
		return agentapi.Attachment{}, errors.Join(err, s.undo(ctx, stored))
	}
	return made, nil
}

// ensure returns when an endpoint that is in the store works on this host.
func (s *service) ensure(ctx context.Context, e *overlay.Endpoint) (agentapi.Attachment, error) {
	if err := s.loop.Ensure(ctx, e); err != nil {
		return agentapi.Attachment{}, err
	}
	return s.attachment(ctx, e)
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
func (s *service) same(ctx context.Context, e *overlay.Endpoint, name overlay.EndpointName) (*overlay.Endpoint, error) {
	own, err := s.Endpoints(ctx, e.Network)
	if err != nil {
		return nil, err
	}
	for _, have := range own {
		at := have.Spec.Attach
		if !samePlace(at, e.Spec.Attach) {
			continue
		}
		if at.Type == overlay.AttachNetns {
			if id, err := netns.ID(at.Target); err != nil || id.String() != at.Identity {
				continue // of an earlier namespace under this name
			}
		}
		if !satisfies(have, e, name) {
			return nil, api.Taken("detach it first", "%s is attached as %s already, otherwise than asked for now", at.Target, have.Key())
		}
		return have, nil
	}
	return nil, nil
}

// inTheWay returns the endpoint for which the store refused to make this one, if
// it is what was asked for: made before, and this node has not heard of it yet.
func (s *service) inTheWay(ctx context.Context, refused error, e *overlay.Endpoint, name overlay.EndpointName) *overlay.Endpoint {
	var (
		taken   *store.ConflictError
		claimed *store.ClaimedError
		key     overlay.Key
	)
	switch {
	case errors.As(refused, &taken):
		key = taken.Key
	case errors.As(refused, &claimed):
		key = claimed.Holder
	}
	if key.Kind != overlay.KindEndpoint || key.Network != e.Network {
		return nil
	}
	r, err := s.client.Get(ctx, key)
	have, ok := r.(*overlay.Endpoint)
	if err != nil || !ok || have.Spec.Node != s.node || !samePlace(have.Spec.Attach, e.Spec.Attach) ||
		have.Spec.Attach.Identity != e.Spec.Attach.Identity || !satisfies(have, e, name) {
		return nil // the refusal stands
	}
	return have
}

func samePlace(a, b overlay.Attach) bool {
	return a.Type == b.Type && a.Target == b.Target && a.Interface == b.Interface
}

// satisfies reports whether an endpoint is as it is wanted; name is empty when any will do.
func satisfies(have, want *overlay.Endpoint, name overlay.EndpointName) bool {
	for _, a := range want.Spec.Addresses {
		if !slices.Contains(have.Spec.Addresses, a) {
			return false
		}
	}
	return (name == "" || string(name) == have.Name) &&
		(want.Spec.MAC.IsZero() || want.Spec.MAC == have.Spec.MAC) &&
		(want.Spec.Lifetime == "" || want.Spec.Lifetime == have.Spec.Lifetime)
}

// undoTime is how long an attach that failed may take to be undone.
const undoTime = 10 * time.Second

// undo takes back an endpoint that the host could not be given.
func (s *service) undo(ctx context.Context, e *overlay.Endpoint) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	revision, err := s.withdraw(ctx, e.Key())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil // somebody else was faster
	case err != nil:
		return fmt.Errorf("%s stays in the store (%w); attach it again to have it, or detach it", e.Key(), err)
	}
	// Whatever keeps the port from going is what kept it from coming; that is
	// known already, and tried again.
	_ = s.loop.Drop(ctx, e.Key(), revision.Number)
	return nil
}
