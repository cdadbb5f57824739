package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"weft/api/identity"
	"weft/overlay"
)

// Who may use a route.
var (
	members = []overlay.Role{overlay.RoleNode, overlay.RoleAdmin, overlay.RoleReader}
	writers = []overlay.Role{overlay.RoleNode, overlay.RoleAdmin}
	admins  = []overlay.Role{overlay.RoleAdmin}
)

// caller is who made a request: the zero Identity for somebody without a
// certificate.
func (s *Server) caller(r *http.Request) (identity.Identity, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return identity.Identity{}, nil
	}
	id, err := s.CA.Verify(r.TLS.PeerCertificates[0])
	switch {
	case errors.Is(err, identity.ErrExpired):
		return id, Forbidden("is the clock right? else join or log in again with a token from weft token create", "%v", err)
	case err != nil:
		return id, Forbidden("these are credentials of another cluster: join or log in again with a token of this one", "%v", identity.ErrForeign)
	}
	return id, nil
}

// admitted returns who made the request, if that role may use the route.
func (s *Server) admitted(r *http.Request, to route) (identity.Identity, error) {
	if to.roles == nil {
		return identity.Identity{}, nil
	}
	id, err := s.caller(r)
	switch {
	case err != nil:
		return id, err
	case id.Role == "":
		return id, Forbidden("join or log in with a token from weft token create", "%s %s: a certificate is needed", r.Method, r.URL.Path)
	case !slices.Contains(to.roles, id.Role):
		return id, Forbidden(needs(to.roles), "%s may not %s", id, doing(r))
	}
	if to.early {
		select {
		case <-s.index.loaded:
		default:
			return id, nil // before the server knows its store it does not know who was revoked
		}
	}
	if err := s.closed(r.Context(), s.index.loaded); err != nil {
		return id, err
	}
	return id, s.revoked(id)
}

// needs says who may what somebody else may not.
func needs(roles []overlay.Role) string {
	if !slices.Contains(roles, overlay.RoleAdmin) {
		return "only nodes do that"
	}
	return "log in as an administrator: weft login TOKEN, with a token from weft token create --role admin"
}

// doing says what a request is for, in people's words instead of the protocol's.
func doing(r *http.Request) string {
	kind, name, named := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	what := kind + " " + name
	switch {
	case kind == "store":
		return name + " the store"
	case !named:
		what = kind + "s"
	case r.Method == http.MethodPost:
		what = kind + "s in network " + name
	}
	switch r.Method {
	case http.MethodGet:
		return "read " + what
	case http.MethodDelete:
		return "delete " + what
	}
	return "write " + what
}

// mayPut reports why the caller may not replace old, or nothing if that is nil,
// by r. Administrators may put what people declare; nodes their own record and
// their own endpoints.
func mayPut(id identity.Identity, r, old overlay.Resource, node *overlay.Node) error {
	k := r.Key()
	switch k.Kind {
	case overlay.KindBlock:
		return Forbidden("attach an endpoint: that makes its node's block", "%s: only servers make blocks", k)
	case overlay.KindRevocation:
		return Forbidden("weft node rm and weft token rm --certificates revoke", "%s: only servers make revocations", k)
	}
	if id.Role == overlay.RoleAdmin {
		return nil
	}
	if err := sameHost(id, node); err != nil {
		return err
	}
	switch r := r.(type) {
	case *overlay.Node:
		if r.Name == id.Name {
			return nil
		}
	case *overlay.Endpoint:
		return mayPutEndpoint(id, r, old)
	}
	return Forbidden(needs(admins), "%s may not write %s", id, k)
}

func mayPutEndpoint(id identity.Identity, r *overlay.Endpoint, old overlay.Resource) error {
	if string(r.Spec.Node) != id.Name {
		return Forbidden(needs(admins), "%s may not write %s of node %s", id, r.Key(), r.Spec.Node)
	}
	was, ok := old.(*overlay.Endpoint)
	if !ok || was.Spec.Node == r.Spec.Node {
		return nil
	}
	if was.Spec.Port == overlay.PortStation && r.Spec.Port == overlay.PortStation {
		return nil // a station moves behind another node's port
	}
	return Forbidden("detach it there first, or choose another name", "%s is on node %s; %s may not take it", r.Key(), was.Spec.Node, id)
}

// mayDelete reports why the caller may not delete old, which may be nil.
func mayDelete(id identity.Identity, k overlay.Key, old overlay.Resource, node *overlay.Node) error {
	switch k.Kind {
	case overlay.KindBlock:
		return Forbidden("it goes with its node or network", "%s: only servers remove blocks", k)
	case overlay.KindRevocation:
		return Forbidden("who was revoked comes back with a new token", "%s: only servers remove revocations", k)
	}
	if id.Role == overlay.RoleAdmin {
		return nil
	}
	if err := sameHost(id, node); err != nil {
		return err
	}
	if k.Kind != overlay.KindEndpoint {
		return Forbidden(needs(admins), "%s may not delete %s", id, k)
	}
	if e, ok := old.(*overlay.Endpoint); ok && string(e.Spec.Node) != id.Name {
		return Forbidden(needs(admins), "%s may not delete %s of node %s", id, k, e.Spec.Node)
	}
	return nil
}

// sameHost reports whether the caller is the host whose record its name's is:
// two hosts may have been called the same, and a host may have been replaced.
func sameHost(id identity.Identity, node *overlay.Node) error {
	if node == nil || node.Spec.Instance == "" || node.Spec.Instance == id.Instance {
		return nil
	}
	return Forbidden("give this one another name with --node, or have it replace the other: weft token create --node "+id.Name,
		"another host is node %s", id.Name)
}
