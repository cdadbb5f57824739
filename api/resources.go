package api

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"

	"weft/api/identity"
	"weft/overlay"
	"weft/store"
)

type serveFunc = func(*Server, http.ResponseWriter, *http.Request, identity.Identity) error

func serveList(kind overlay.Kind) serveFunc {
	return func(s *Server, w http.ResponseWriter, r *http.Request, _ identity.Identity) error {
		if err := s.ready(r.Context()); err != nil {
			return err
		}
		q := r.URL.Query()
		in := store.Interest{Kinds: []overlay.Kind{kind}, Node: overlay.NodeName(q.Get("node"))}
		if n := q.Get("network"); n != "" {
			in.Networks = []overlay.NetworkName{overlay.NetworkName(n)}
		}
		items, at := s.index.list(in)
		return WriteJSON(w, List{Revision: at, Items: items})
	}
}

func serveGet(kind overlay.Kind) serveFunc {
	return func(s *Server, w http.ResponseWriter, r *http.Request, _ identity.Identity) error {
		if err := s.ready(r.Context()); err != nil {
			return err
		}
		k, err := keyOf(kind, r)
		if err != nil {
			return err
		}
		found := s.index.get(k)
		if found == nil {
			return &Error{Code: CodeNotFound, Message: "there is no " + k.String(), Key: &k}
		}
		return WriteJSON(w, found)
	}
}

func servePut(kind overlay.Kind) serveFunc {
	return func(s *Server, w http.ResponseWriter, r *http.Request, id identity.Identity) error {
		k, err := keyOf(kind, r)
		if err != nil {
			return err
		}
		put, err := readResource(w, r, k)
		if err != nil {
			return err
		}
		expect, err := parseExpect(r.URL.Query().Get("expect"))
		if err != nil {
			return err
		}
		c := store.Change{Put: put, Expect: expect, Status: r.URL.Query().Get("status") == "1"}
		return s.answerPut(w, r, id, c)
	}
}

func (s *Server) answerPut(w http.ResponseWriter, r *http.Request, id identity.Identity, c store.Change) error {
	if err := s.ready(r.Context()); err != nil {
		return err
	}
	stored, at, err := s.write(r.Context(), id, request{Change: c})
	if err != nil {
		return err
	}
	w.Header().Set(revisionHeader, at.String())
	return WriteJSON(w, stored)
}

// createEndpoint names the endpoint after its node.
func (s *Server) createEndpoint(w http.ResponseWriter, r *http.Request, id identity.Identity) error {
	k := overlay.Key{Kind: overlay.KindEndpoint, Network: overlay.NetworkName(r.PathValue("network"))}
	put, err := readResource(w, r, k)
	if err != nil {
		return err
	}
	e := put.(*overlay.Endpoint)
	for {
		e.Name = chosenName(string(e.Spec.Node))
		err := s.answerPut(w, r, id, store.Change{Put: e, Expect: store.Absent})
		var conflict *store.ConflictError
		if !errors.As(err, &conflict) {
			return err
		}
	}
}

// chosenName is a name that nobody has, with a beginning that says something.
func chosenName(begin string) string {
	const letters = 6
	begin = strings.TrimRight(begin[:min(len(begin), overlay.MaxName-letters-1)], "-")
	if begin == "" {
		begin = "x"
	}
	return begin + "-" + strings.ToLower(rand.Text()[:letters])
}

func serveDelete(kind overlay.Kind) serveFunc {
	return func(s *Server, w http.ResponseWriter, r *http.Request, id identity.Identity) error {
		if err := s.ready(r.Context()); err != nil {
			return err
		}
		k, err := keyOf(kind, r)
		if err != nil {
			return err
		}
		expect, err := parseExpect(r.URL.Query().Get("expect"))
		if err != nil {
			return err
		}
		c := request{Change: store.Change{Delete: k, Expect: expect}, Force: r.URL.Query().Get("force") == "1"}
		_, at, err := s.write(r.Context(), id, c)
		if err != nil {
			return err
		}
		w.Header().Set(revisionHeader, at.String())
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

// keyOf is the key in a request's path.
func keyOf(kind overlay.Kind, r *http.Request) (overlay.Key, error) {
	k := overlay.Key{Kind: kind, Network: overlay.NetworkName(r.PathValue("network")), Name: r.PathValue("name")}
	if kind.Networked() && !(kind.StandsAlone() && k.Network == "") {
		if err := overlay.CheckName("network", string(k.Network)); err != nil {
			return k, Invalid("", "%v", err)
		}
	}
	if err := overlay.CheckName(strings.ToLower(string(kind)), k.Name); err != nil {
		return k, Invalid("", "%v", err)
	}
	return k, nil
}

// readResource reads the body of a write to a key; what the body leaves out of
// the key is taken from there, and what differs is refused.
func readResource(w http.ResponseWriter, r *http.Request, k overlay.Key) (overlay.Resource, error) {
	put := overlay.New(k.Kind)
	if err := ReadJSON(w, r, put); err != nil {
		return nil, err
	}
	h := put.Header()
	if h.Name == "" {
		h.Name = k.Name
	}
	if h.Network == "" {
		h.Network = k.Network
	}
	if k.Name == "" {
		h.Name = ""
	}
	if put.Key() != k {
		return nil, Invalid("", "%s: the body is about %s", k, put.Key())
	}
	return put, nil
}
