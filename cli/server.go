package cli

import (
	"context"
	"errors"
	"io/fs"

	"weft/api"
	"weft/api/identity"
	"weft/overlay"
)

// server is the servers' API, with this user's credentials. On a host without
// any, root may read as the node does.
func (a *app) server(ctx context.Context) (*api.Client, error) {
	path := a.credentialsPath()
	credentials, err := identity.LoadCredentials(path)
	if errors.Is(err, fs.ErrNotExist) && a.givenCredentials() == "" {
		if own, nodeErr := identity.LoadCredentials(a.nodeCredentialsPath()); nodeErr == nil {
			a.asNode = true
			return a.connect(own, a.nodeCredentialsPath())
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && a.followsFile(ctx):
		return nil, withCode(exitRefused, "this host follows a file and no server: change the file, and say weft apply --local FILE")
	case errors.Is(err, fs.ErrNotExist):
		return nil, withCode(exitRefused, "no credentials for the servers: there is no %s; "+
			"log in with a token (weft login TOKEN), or name another file with --credentials", path)
	case errors.Is(err, fs.ErrPermission):
		return nil, withCode(exitRefused, "credentials %s: not allowed to read them; run this as root, or log in with a token (weft login TOKEN)", path)
	case errors.Is(err, identity.ErrDamaged):
		return nil, withCode(exitRefused, "%w; log in anew (weft login --force TOKEN); a server writes that of its own host anew when it starts", err)
	case err != nil:
		return nil, withCode(exitRefused, "%w", err)
	}
	client, err := a.connect(credentials, path)
	if err != nil {
		return nil, err
	}
	return client, a.keepFresh(ctx, client, credentials, path)
}

// connect makes the client, which connects when there is something to ask.
func (a *app) connect(credentials identity.Credentials, path string) (*api.Client, error) {
	client, err := api.NewClient(credentials)
	if err != nil {
		return nil, withCode(exitRefused, "credentials %s: %w", path, err)
	}
	a.atEnd = append(a.atEnd, client.Close)
	return client, nil
}

// listing says which resources to list; empty names limit nothing.
type listing struct {
	kinds   []overlay.Kind
	network overlay.NetworkName
	node    overlay.NodeName
}

// list asks for each kind in turn.
func list(ctx context.Context, from source, l listing) ([]overlay.Resource, error) {
	var all []overlay.Resource
	for _, k := range l.kinds {
		some, _, err := from.List(ctx, k, l.network, l.node)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}
