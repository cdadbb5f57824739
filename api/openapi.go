package api

import (
	"net/http"

	"weft/api/identity"
)

func (s *Server) getDocument(w http.ResponseWriter, _ *http.Request, _ identity.Identity) error {
	return WriteJSON(w, map[string]string{"openapi": "3.1.0"})
}
