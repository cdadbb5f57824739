package cli

import (
	"context"
	"errors"
	"io/fs"

	"weft/api"
	"weft/api/identity"
	"weft/overlay"
)

// server is the servers' API, with this user's credentials.
func (a *app) server(ctx context.Context) (*api.Client, error) {
	path := a.credentialsPath()
	credentials, err := identity.LoadCredentials(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, withCode(exitRefused, "no credentials for the servers: there is no %s; "+
			"log in with a token (weft login TOKEN), or name another file with --credentials", path)
	case errors.Is(err, fs.ErrPermission):
		return nil, withCode(exitRefused, "credentials %s: not allowed to read them; run this as root, or log in with a token (weft login TOKEN)", path)
	case err != nil:
		return nil, withCode(exitRefused, "%w", err)
	}
	client, err := api.NewClient(credentials)
	if err != nil {
		return nil, withCode(exitRefused, "credentials %s: %w", path, err)
	}
	a.atEnd = append(a.atEnd, client.Close)
	return client, a.keepFresh(ctx, client, credentials, path)
}

// listing says which resources to list; empty names limit nothing.
type listing struct {
	kinds   []overlay.Kind
	network overlay.NetworkName
	node    overlay.NodeName
}

// list asks for each kind in turn.
func list(ctx context.Context, server *api.Client, l listing) ([]overlay.Resource, error) {
	var all []overlay.Resource
	for _, k := range l.kinds {
		some, _, err := server.List(ctx, k, l.network, l.node)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}
