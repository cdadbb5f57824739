package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"weft/api"
	"weft/cli/suggest"
	"weft/overlay"
	"weft/store"
)

// hinted reports whether an error says already what to do.
func hinted(err error) bool {
	var refused *api.Error
	return errors.As(err, &refused) && refused.Hint != ""
}

// advise adds to an error that does not say it what to do about a name that is
// taken, or that nobody has.
func (a *app) advise(ctx context.Context, err error) error {
	if err == nil || hinted(err) || ctx.Err() != nil {
		return err
	}
	var (
		refused  *api.Error
		conflict *store.ConflictError
		missing  *store.MissingError
	)
	switch {
	case errors.As(err, &conflict) && conflict.Expected == store.Absent && conflict.Key.Name != "":
		return fmt.Errorf("%w; %s shows it; or choose another name", err, showing(conflict.Key))
	case errors.As(err, &missing) && missing.Need.Name != "":
		return fmt.Errorf("%w; %s", err, a.instead(ctx, missing.Need))
	case errors.As(err, &refused) && refused.Code == api.CodeNotFound && refused.Key != nil:
		return fmt.Errorf("%w; %s", err, a.instead(ctx, *refused.Key))
	}
	return err
}

// showing is the command that shows a resource.
func showing(k overlay.Key) string {
	switch k.Kind {
	case overlay.KindNetwork, overlay.KindNode:
		return "weft " + noun(k.Kind) + " show " + k.Name
	case overlay.KindEndpoint:
		return "weft endpoint show " + string(k.Network) + "/" + k.Name
	case overlay.KindTunnel:
		return "weft tunnel show " + nameOf(k)
	}
	return listing{kinds: []overlay.Kind{k.Kind}}.command()
}

// instead says which name may have been meant, or how to see those that there are.
func (a *app) instead(ctx context.Context, k overlay.Key) string {
	l := listing{kinds: []overlay.Kind{k.Kind}, network: k.Network}
	command := l.command() + " lists the " + noun(k.Kind) + "s"
	server, err := a.server(ctx)
	if err != nil {
		return command // the error that is there already matters more
	}
	all, err := list(ctx, server, l)
	if err != nil {
		return command
	}
	var names []string
	for _, r := range all {
		names = append(names, r.Header().Name)
	}
	if near := suggest.Nearest(k.Name, names); near != "" && near != k.Name {
		return "did you mean " + near + "?"
	}
	return command
}

// command is what people type for a listing.
func (l listing) command() string {
	kind := l.kinds[0]
	switch kind {
	case overlay.KindNetwork, overlay.KindNode, overlay.KindToken:
		return "weft " + noun(kind) + " ls"
	case overlay.KindEndpoint:
		return strings.TrimSpace("weft endpoint ls " + string(l.network))
	case overlay.KindTunnel:
		return strings.TrimSpace("weft tunnel ls " + string(l.network))
	}
	return "weft get " + noun(kind)
}

func noun(k overlay.Kind) string { return strings.ToLower(string(k)) }
