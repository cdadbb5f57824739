package cli

import (
	"context"
	"fmt"
	"io"

	"weft/cli/output"
	"weft/overlay"
)

// listResources prints what the servers have.
func (a *app) listResources(ctx context.Context, f output.Format, l listing) error {
	server, err := a.server(ctx)
	if err != nil {
		return err
	}
	if err := knownNames(ctx, server, l); err != nil {
		return err
	}
	all, err := list(ctx, server, l)
	if err != nil {
		return err
	}
	return a.printResources(f, l.kinds, all)
}

// knownNames refuses a network or node that does not exist: an empty list would
// hide a mistyped name.
func knownNames(ctx context.Context, server source, l listing) error {
	for _, k := range []overlay.Key{
		{Kind: overlay.KindNetwork, Name: string(l.network)},
		{Kind: overlay.KindNode, Name: string(l.node)},
	} {
		if k.Name == "" {
			continue
		}
		if _, err := server.Get(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// printResources prints resources of several kinds: a table for each kind, or
// one JSON or YAML list, which "weft apply" takes.
func (a *app) printResources(f output.Format, kinds []overlay.Kind, all []overlay.Resource) error {
	if f.Structured() {
		return output.List(a.stdout, f, all, nil)
	}
	for i, k := range kinds {
		if i > 0 {
			if _, err := fmt.Fprintln(a.stdout); err != nil {
				return err
			}
		}
		if err := a.printKind(f, k, all); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printKind(f output.Format, k overlay.Kind, all []overlay.Resource) error {
	switch k {
	case overlay.KindNode:
		return table(a.stdout, f, all, a.nodeColumns())
	case overlay.KindNetwork:
		return table(a.stdout, f, all, a.networkColumns())
	case overlay.KindBlock:
		return table(a.stdout, f, all, a.blockColumns())
	case overlay.KindEndpoint:
		return table(a.stdout, f, all, a.endpointColumns())
	case overlay.KindTunnel:
		return table(a.stdout, f, all, a.tunnelColumns())
	case overlay.KindToken:
		return table(a.stdout, f, all, a.tokenColumns())
	case overlay.KindRevocation:
		return table(a.stdout, f, all, a.revocationColumns())
	}
	return fmt.Errorf("print resources: kind %q has no columns", k)
}

// table prints those of the resources that are of type T.
func table[T overlay.Resource](w io.Writer, f output.Format, all []overlay.Resource, columns []output.Column[T]) error {
	var some []T
	for _, r := range all {
		if t, ok := r.(T); ok {
			some = append(some, t)
		}
	}
	return output.List(w, f, some, columns)
}

func (a *app) blockColumns() []output.Column[*overlay.Block] {
	type b = *overlay.Block
	return []output.Column[b]{
		{Title: "Network", Cell: func(b b) string { return string(b.Network) }},
		{Title: "Prefix", Cell: func(b b) string { return b.Spec.Prefix.String() }},
		{Title: "Node", Cell: func(b b) string { return string(b.Spec.Node) }},
		{Title: "Name", Wide: true, Cell: func(b b) string { return b.Name }},
		{Title: "Age", Cell: func(b b) string { return output.Since(a.now(), b.Created) }},
	}
}

func (a *app) revocationColumns() []output.Column[*overlay.Revocation] {
	type r = *overlay.Revocation
	return []output.Column[r]{
		{Title: "Name", Cell: func(r r) string { return r.Name }},
		{Title: "Of", Cell: func(r r) string { return string(r.Spec.Of) }},
		{Title: "Holder", Cell: func(r r) string { return r.Spec.Holder }},
		{Title: "Since", Cell: func(r r) string { return timeText(r.Spec.Since) }},
		{Title: "Until", Cell: func(r r) string { return timeText(r.Spec.Until) }},
	}
}

// keysOf are the keys of resources of a kind that belongs to no network.
func keysOf(kind overlay.Kind, names []string) []overlay.Key {
	keys := make([]overlay.Key, len(names))
	for i, name := range names {
		keys[i] = overlay.Key{Kind: kind, Name: name}
	}
	return keys
}

// remove deletes resources that have to exist; all are looked up before the
// first one is deleted. By force a node goes with all that it has, and a token, or
// one that was, with the certificates that were got with it.
func (a *app) remove(ctx context.Context, keys []overlay.Key, force bool) error {
	server, err := a.server(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.Kind == overlay.KindToken && force {
			continue
		}
		if _, err := server.Get(ctx, k); err != nil {
			return err
		}
	}
	for _, k := range keys {
		if err := server.Remove(ctx, k, force); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(a.stdout, "%s removed\n", k); err != nil {
			return err
		}
	}
	return nil
}
