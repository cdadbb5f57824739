package api

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"weft/api/openapi"
	"weft/internal/testenv"
	"weft/overlay"
)

// describe makes the document of the API.
func describe(t *testing.T) string {
	t.Helper()
	docs, err := openapi.ReadDocs(".", "../overlay", "../store")
	if err != nil {
		t.Fatal(err)
	}
	a := openapi.API{
		Title: "Weft", Version: "v1",
		Description: "Resources of overlay networks over HTTPS. Clients prove who they are by certificates, which /v1/join gives for a token.",
		Error:       Error{}, Docs: docs,
		Choices: map[reflect.Type][]reflect.Type{reflect.TypeFor[overlay.Resource](): nil},
		Special: map[reflect.Type]map[string]any{
			reflect.TypeFor[overlay.MAC](): {"type": "string", "pattern": "^([0-9a-f]{2}(:[0-9a-f]{2}){5})?$"},
			reflect.TypeFor[overlay.VNI](): {"type": "integer", "minimum": 1, "maximum": overlay.MaxVNI},
			reflect.TypeFor[Duration]():    {"type": "string", "examples": []string{"90s", "24h"}},
			// These are read from numbers, too.
			reflect.TypeFor[overlay.TTL]():    {"type": []string{"string", "integer"}, "examples": []string{"255", "inherit"}},
			reflect.TypeFor[overlay.TOS]():    {"type": []string{"string", "integer"}, "examples": []string{"0x10", "inherit"}},
			reflect.TypeFor[overlay.GREKey](): {"type": []string{"string", "integer"}, "examples": []string{"0x111111", "0.17.17.17"}},
		},
	}
	resource := reflect.TypeFor[overlay.Resource]()
	for _, kind := range overlay.Kinds() {
		a.Choices[resource] = append(a.Choices[resource], reflect.TypeOf(overlay.New(kind)).Elem())
	}
	for _, r := range routes() {
		o := openapi.Operation{ID: r.id, Method: r.method, Path: r.path, Summary: r.summary, Body: r.body, Reply: r.reply, Media: r.media}
		for _, role := range r.roles {
			o.Roles = append(o.Roles, string(role))
		}
		for _, q := range r.query {
			o.Query = append(o.Query, openapi.Parameter{Name: q.name, Description: q.says})
		}
		for _, h := range r.header {
			o.Headers = append(o.Headers, openapi.Parameter{Name: h.name, Description: h.says})
		}
		if list, ok := r.reply.(List); ok {
			o.Reply = openapi.List{Of: list, Items: "items", Element: list.Items[0]}
		}
		a.Operations = append(a.Operations, o)
	}
	text, err := openapi.Document(a)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The committed document is that of the code.
func TestDocumentIsCurrent(t *testing.T) {
	t.Parallel()
	testenv.Golden(t, "../openapi.json", describe(t))
}

// Every operation of the served document is one that the server has, and the
// other way round; each asks for the certificate that it says.
func TestDocumentIsServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.serve(t, nil)
	c := w.client(t, overlay.RoleAdmin, "root", h)
	var d struct {
		Paths map[string]map[string]struct {
			ID       string      `json:"operationId"`
			Security *[]struct{} `json:"security"`
		}
	}
	if _, err := c.call(t.Context(), http.MethodGet, "/v1/openapi.json", nil, nil, &d); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for path, methods := range d.Paths {
		for method, o := range methods {
			if ids[o.ID] {
				t.Errorf("two operations are %s", o.ID)
			}
			ids[o.ID] = true
			r, err := http.NewRequest(strings.ToUpper(method), strings.NewReplacer("{", "", "}", "").Replace(path), strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			answer := &recorder{header: http.Header{}}
			h.ServeHTTP(answer, r)
			if closed := answer.status == http.StatusForbidden; closed == (o.Security != nil) {
				t.Errorf("%s %s without a certificate: status %d", method, path, answer.status)
			}
			if answer.status == http.StatusNotFound {
				t.Errorf("the server has no %s %s", method, path)
			}
		}
	}
	if len(ids) != len(routes()) {
		t.Errorf("%d operations for %d routes", len(ids), len(routes()))
	}
}

// recorder takes an answer's status.
type recorder struct {
	header http.Header
	status int
	body   strings.Builder
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

// What the server writes has no field that the document does not know.
func TestDocumentKnowsEveryField(t *testing.T) {
	t.Parallel()
	var d struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any
			}
		}
	}
	if err := json.NewDecoder(strings.NewReader(describe(t))).Decode(&d); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	_, admin := cluster(t)
	for _, e := range []overlay.Resource{put(t, admin, endpoint("green", "web", "a")), put(t, admin, node("a", 1)), put(t, admin, network("blue", "", "10.7.0.0/24", "fd07::/64")), put(t, admin, tunnel("", "vx", overlay.TunnelVXLAN, func(s *overlay.TunnelSpec) { s.VNI = 7 }))} {
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var written struct{ Spec map[string]any }
		if err := json.Unmarshal(text, &written); err != nil {
			t.Fatal(err)
		}
		spec := d.Components.Schemas[string(e.Key().Kind)+"Spec"].Properties
		for name := range written.Spec {
			if spec[name] == nil {
				t.Errorf("%s: the document does not know %s", e.Key(), name)
			}
		}
	}
}
