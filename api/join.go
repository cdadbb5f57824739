package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"weft/api/identity"
	"weft/overlay"
	"weft/store"
)

// join gives whoever has a token a certificate.
func (s *Server) join(w http.ResponseWriter, r *http.Request, _ identity.Identity) error {
	if err := s.ready(r.Context()); err != nil {
		return err
	}
	var request JoinRequest
	if err := ReadJSON(w, r, &request); err != nil {
		return err
	}
	spec, name, err := s.checkToken(request.Token)
	if err != nil {
		return err
	}
	id := identity.Identity{Name: name, Role: spec.Role, Instance: rand.Text()}
	if spec.Role == overlay.RoleNode {
		if err := s.sound(); err != nil {
			return err // a node of that name may be there, and its address in use
		}
		if err := s.mayBecome(request.Node, spec.Node); err != nil {
			return err
		}
		id.Name = string(request.Node)
	} else if request.Node != "" {
		return Forbidden("make a node token: weft token create", "token %s is for a person (%s), not for a node", name, spec.Role)
	}
	id.Epoch = s.epoch(id)
	cert, err := s.sign(request.CSR, id)
	if err != nil {
		return err
	}
	if spec.Role == overlay.RoleNode {
		if err := s.handOver(r.Context(), id); err != nil {
			return err
		}
	}
	if now := s.epoch(id); now != id.Epoch { // revoked meanwhile
		id.Epoch = now
		if cert, err = s.sign(request.CSR, id); err != nil {
			return err
		}
	}
	s.log.Info("joined", "from", r.RemoteAddr, "who", id.String(), "token", name)
	return WriteJSON(w, cert)
}

// checkToken returns what the token in text is good for.
func (s *Server) checkToken(text string) (overlay.TokenSpec, string, error) {
	token, err := identity.ParseToken(text)
	if err != nil {
		return overlay.TokenSpec{}, "", Invalid("", "%v", err)
	}
	record := lookup[overlay.Token](s.index, overlay.Key{Kind: overlay.KindToken, Name: token.Name})
	if record == nil {
		record = &overlay.Token{} // no secret has its hash
	}
	if err := token.Secret.Check(record, s.Now()); err != nil {
		return overlay.TokenSpec{}, "", Forbidden("make a new one: weft token create", "token %s: %v", token.Name, err)
	}
	return record.Spec, token.Name, nil
}

// mayBecome reports why a host with a token for one node, or for any, cannot
// become the named node.
func (s *Server) mayBecome(name, tokenFor overlay.NodeName) error {
	if err := overlay.CheckName("node", string(name)); err != nil {
		return Invalid("name it with --node", "%v", err)
	}
	k := overlay.Key{Kind: overlay.KindNode, Name: string(name)}
	switch {
	case tokenFor != "" && tokenFor != name:
		return Forbidden("", "the token is for node %s, not for node %s", tokenFor, name)
	case tokenFor == "" && s.index.get(k) != nil:
		return Forbidden("give this host another name with --node; to have it replace that one, make a token with weft token create --node "+string(name),
			"node %s exists already", name)
	}
	return nil
}

// handOver gives an existing node's record to the host that has just got a
// certificate in its name; the host that had it can write no more.
func (s *Server) handOver(ctx context.Context, id identity.Identity) error {
	k := overlay.Key{Kind: overlay.KindNode, Name: id.Name}
	for range writeTries {
		old := lookup[overlay.Node](s.index, k)
		if old == nil {
			return nil
		}
		n := *old
		n.Spec.Instance = id.Instance
		_, _, err := s.update(ctx, store.Change{Put: &n, Expect: old.Revision})
		var conflict *store.ConflictError
		if !errors.As(err, &conflict) {
			return err
		}
		s.index.changed(ctx, k, old.Revision, s.patience)
	}
	return store.ErrUnavailable
}

// renew gives whoever has a certificate another one.
func (s *Server) renew(w http.ResponseWriter, r *http.Request, id identity.Identity) error {
	if err := s.ready(r.Context()); err != nil {
		return err
	}
	var request RenewRequest
	if err := ReadJSON(w, r, &request); err != nil {
		return err
	}
	if id.Role == overlay.RoleNode {
		node := s.nodeOf(id)
		if node == nil && s.sound() == nil { // else its absence says nothing
			return Forbidden("join again with a token from weft token create", "node %s was removed", id.Name)
		}
		if err := sameHost(id, node); err != nil {
			return err
		}
	}
	cert, err := s.sign(request.CSR, id)
	if err != nil {
		return err
	}
	return WriteJSON(w, cert)
}

func (s *Server) sign(csr string, id identity.Identity) (Certificate, error) {
	cert, err := s.CA.Sign([]byte(csr), id)
	if err != nil {
		return Certificate{}, Invalid("", "%v", err)
	}
	return Certificate{Certificate: string(cert), CA: string(s.CA.Certificate())}, nil
}

// DefaultTokenTTL is how long a token is good if nobody says.
const DefaultTokenTTL = 24 * time.Hour

// createToken makes a token, and shows it this once.
func (s *Server) createToken(w http.ResponseWriter, r *http.Request, id identity.Identity) error {
	var request TokenRequest
	if err := ReadJSON(w, r, &request); err != nil {
		return err
	}
	made, err := s.MakeToken(r.Context(), request)
	if err != nil {
		return err
	}
	s.log.Info("made token", "from", r.RemoteAddr, "who", id.String(), "token", made.Name, "expires", made.Expires)
	return WriteJSON(w, made)
}

// MakeToken makes a token. Who runs the server can do that without a request:
// so its own first certificates come about.
func (s *Server) MakeToken(ctx context.Context, request TokenRequest) (NewToken, error) {
	if err := s.ready(ctx); err != nil {
		return NewToken{}, err
	}
	role := cmp.Or(request.Role, overlay.RoleNode)
	switch {
	case request.TTL < 0:
		return NewToken{}, Invalid("", "ttl %s: want more than nothing", time.Duration(request.TTL))
	case request.Node != "" && role != overlay.RoleNode:
		return NewToken{}, Invalid("", "node %s: only tokens of role node are for a node", request.Node)
	}
	if request.Node != "" {
		if err := overlay.CheckName("node", string(request.Node)); err != nil {
			return NewToken{}, Invalid("", "%v", err)
		}
	}
	if len(s.Addresses) == 0 {
		return NewToken{}, Invalid("start the server with --advertise", "the server does not know by which address others reach it, and a token has to say")
	}
	secret, err := identity.NewSecret()
	if err != nil {
		return NewToken{}, err
	}
	record := overlay.New(overlay.KindToken).(*overlay.Token)
	record.Name = cmp.Or(request.Name, chosenName(string(role)))
	record.Spec = overlay.TokenSpec{
		Role: role, Hash: secret.Hash(), Node: request.Node,
		Expires: s.Now().Add(time.Duration(cmp.Or(request.TTL, Duration(DefaultTokenTTL)))).UTC().Round(0),
	}
	if err := check(record); err != nil {
		return NewToken{}, err
	}
	if _, _, err := s.update(ctx, store.Change{Put: record, Expect: store.Absent}); err != nil {
		return NewToken{}, err
	}
	token := identity.Token{Name: record.Name, Secret: secret, Pin: s.CA.Pin(), Servers: s.Addresses}
	return NewToken{Token: token.String(), Name: record.Name, Expires: record.Spec.Expires}, nil
}

func (s *Server) getCA(w http.ResponseWriter, _ *http.Request, _ identity.Identity) error {
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, err := w.Write(s.CA.Certificate())
	return err
}

func (s *Server) whoAmI(w http.ResponseWriter, _ *http.Request, id identity.Identity) error {
	return WriteJSON(w, WhoAmI{Name: id.Name, Role: id.Role, Expires: id.Expires})
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request, _ identity.Identity) error {
	_, ready := s.index.state()
	return WriteJSON(w, ServerStatus{Version: s.Version, Started: s.started, Ready: ready, Revision: s.index.at(), Hold: s.holdReason()})
}
