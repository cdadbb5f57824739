package api

import (
	_ "embed" // for the document
	"net/http"

	"weft/api/identity"
)

// document describes the API. It is made of the table of routes and of the types
// in it; go test -update in this folder makes it anew.
//
//go:embed openapi.json
var document []byte

func (s *Server) getDocument(w http.ResponseWriter, _ *http.Request, _ identity.Identity) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(document)
	return err
}
