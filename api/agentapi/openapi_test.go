package agentapi

import (
	"log/slog"
	"reflect"
	"testing"

	"weft/api"
	"weft/api/openapi"
	"weft/internal/testenv"
	"weft/overlay"
)

// TestDocumentIsCurrent: the committed document is that of the routes and of the
// types in them; go test -update in this folder makes it anew.
func TestDocumentIsCurrent(t *testing.T) {
	t.Parallel()
	docs, err := openapi.ReadDocs(".", "..", "../../overlay", "../../dataplane")
	if err != nil {
		t.Fatal(err)
	}
	a := openapi.API{
		Title: "Weft's agent", Version: "v1", Local: true,
		Description: "What a node's agent does for root on that node: HTTP on the unix socket agent.sock in the run directory, which only root can open.",
		Error:       api.Error{}, Docs: docs,
		Special: map[reflect.Type]map[string]any{
			reflect.TypeFor[overlay.MAC](): {"type": "string", "pattern": "^([0-9a-f]{2}(:[0-9a-f]{2}){5})?$"},
			reflect.TypeFor[overlay.VNI](): {"type": "integer", "minimum": 1, "maximum": overlay.MaxVNI},
			// These are read from numbers, too.
			reflect.TypeFor[overlay.TTL]():    {"type": []string{"string", "integer"}, "examples": []string{"255", "inherit"}},
			reflect.TypeFor[overlay.TOS]():    {"type": []string{"string", "integer"}, "examples": []string{"0x10", "inherit"}},
			reflect.TypeFor[overlay.GREKey](): {"type": []string{"string", "integer"}, "examples": []string{"0x111111", "0.17.17.17"}},
		},
	}
	for _, r := range routes(&agent{}, slog.New(slog.DiscardHandler)) {
		o := openapi.Operation{ID: r.id, Method: r.method, Path: r.path, Summary: r.summary, Body: r.body, Reply: r.reply}
		if r.network != "" {
			o.Query = append(o.Query, openapi.Parameter{Name: "network", Description: r.network})
		}
		if r.after != "" {
			o.Query = append(o.Query, openapi.Parameter{Name: "after", Description: r.after})
		}
		a.Operations = append(a.Operations, o)
	}
	text, err := openapi.Document(a)
	if err != nil {
		t.Fatal(err)
	}
	testenv.Golden(t, "../openapi.json", string(text))
}
