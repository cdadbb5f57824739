package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"weft/api/agentapi"
	"weft/cli/manifest"
	"weft/overlay"
)

// applyLocal has this host be what a file declares, without a server.
func (a *app) applyLocal(ctx context.Context, file string) error {
	text, name, err := a.readFile(file)
	if err != nil {
		return withCode(exitUsage, "%w", err)
	}
	documents, err := manifest.Decode(name, text)
	if err != nil {
		return withCode(exitUsage, "%w", err)
	}
	declared, err := declaration(documents)
	if err != nil {
		return withCode(exitUsage, "%w", err)
	}
	data, err := json.Marshal(declared)
	if err != nil {
		return fmt.Errorf("encode what is declared: %w", err)
	}
	if err := a.weftd(ctx, bytes.NewReader(data), "local", "apply"); err != nil {
		return err
	}
	for _, d := range documents {
		if k := d.Resource.Key(); k.Kind != overlay.KindNode {
			if _, err := fmt.Fprintf(a.stdout, "%s is there\n", k); err != nil {
				return err
			}
		}
	}
	return nil
}

// declaration gathers what a file declares for the host that it is on.
func declaration(documents []manifest.Document) (d agentapi.Declaration, err error) {
	for _, at := range documents {
		if err := declarable(at.Resource); err != nil {
			return d, fmt.Errorf("%s: %w", at.Where(), err)
		}
		switch r := desired(at.Resource, nil).(type) {
		case *overlay.Node:
			if d.Node != "" {
				return d, fmt.Errorf("%s: %s: a file is for one host, which it calls node %s", at.Where(), r.Key(), d.Node)
			}
			d.Node = overlay.NodeName(r.Name)
			for _, p := range r.Spec.Underlay {
				d.Underlay = append(d.Underlay, p.Addr())
			}
		case *overlay.Network:
			d.Networks = append(d.Networks, r)
		case *overlay.Endpoint:
			d.Endpoints = append(d.Endpoints, r)
		case *overlay.Tunnel:
			d.Tunnels = append(d.Tunnels, r)
		}
	}
	return d, nil
}

// declarable reports what is wrong with a resource by itself, which weftd would say without the line
// of the file. What a host fills in may be missing.
func declarable(r overlay.Resource) error {
	switch r := r.(type) {
	case *overlay.Tunnel:
		t := *r
		t.Spec.Node = cmp.Or(t.Spec.Node, "here")
		return t.Validate()
	case *overlay.Network:
		if r.Spec.VNI != 0 {
			return desired(r, nil).Validate()
		}
	case *overlay.Node, *overlay.Endpoint:
	default:
		return fmt.Errorf("%s: one host alone is declared by tunnels, networks, endpoints, and its node for the underlay addresses", r.Key())
	}
	return nil
}
