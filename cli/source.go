package cli

import (
	"context"
	"errors"
	"fmt"

	"weft/api"
	"weft/overlay"
	"weft/store"
)

// source is where resources are read: the servers, or, on a host that follows none, its agent.
type source interface {
	Get(context.Context, overlay.Key) (overlay.Resource, error)
	List(context.Context, overlay.Kind, overlay.NetworkName, overlay.NodeName) ([]overlay.Resource, overlay.Revision, error)
}

var _ source = (*api.Client)(nil)

// source is the servers' API; on a host that has no credentials for any and follows a file (weft
// apply --local) it is what was declared there.
func (a *app) source(ctx context.Context) (source, error) {
	server, err := a.server(ctx)
	if err == nil {
		return server, nil
	}
	if declared, e := a.agent().Declared(ctx); e == nil {
		var all declaredHere
		for _, r := range declared.Nodes {
			all = append(all, r)
		}
		for _, r := range declared.Networks {
			all = append(all, r)
		}
		for _, r := range declared.Blocks {
			all = append(all, r)
		}
		for _, r := range declared.Tunnels {
			all = append(all, r)
		}
		for _, r := range declared.Endpoints {
			all = append(all, r)
		}
		return all, nil
	}
	return nil, err
}

// followsFile reports whether this host follows a file and no server.
func (a *app) followsFile(ctx context.Context) bool {
	report, err := a.agent().Status(ctx)
	return err == nil && report.FollowsFile
}

// declaredHere are the resources of a host that follows a file.
type declaredHere []overlay.Resource

// Get implements source.
func (d declaredHere) Get(_ context.Context, k overlay.Key) (overlay.Resource, error) {
	for _, r := range d {
		if r.Key() == k {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%s: %w in what this host follows", k, store.ErrNotFound)
}

// List implements source.
func (d declaredHere) List(_ context.Context, kind overlay.Kind, network overlay.NetworkName, node overlay.NodeName) ([]overlay.Resource, overlay.Revision, error) {
	if kind.OnlyNamed() {
		return nil, overlay.Revision{}, errors.New("this host follows a file and no server: it has neither tokens nor revocations")
	}
	in := store.Interest{Kinds: []overlay.Kind{kind}, Node: node}
	if network != "" {
		in.Networks = []overlay.NetworkName{network}
	}
	var some []overlay.Resource
	for _, r := range d {
		if in.Covers(r) {
			some = append(some, r)
		}
	}
	return some, overlay.Revision{}, nil
}

// resource is the one that has a key, and where it was found.
func (a *app) resource(ctx context.Context, key overlay.Key) (source, overlay.Resource, error) {
	from, err := a.source(ctx)
	if err != nil {
		return nil, nil, err
	}
	r, err := from.Get(ctx, key)
	return from, r, err
}
