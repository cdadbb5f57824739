package openapi

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"weft/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// animal is what the test's API is about; its source is below.
type animal struct {
	meta
	Species species           `json:"species"`
	Born    time.Time         `json:"born,omitzero"`
	Address netip.Addr        `json:"address,omitempty"`
	Friends []*animal         `json:"friends,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
	Weight  uint16            `json:"weight"`
	Hidden  string            `json:"-"`
}

type meta struct {
	Name string `json:"name"`
}

type species string

type thing interface{ isThing() }

func (animal) isThing() {}

type page struct {
	Next  string  `json:"next,omitempty"`
	Items []thing `json:"items"`
}

const source = `package openapi

// animal lives.
// On two lines.
type animal struct {
	// Species says
	// what it is.
	Species species
	Weight uint16 // in grams
}

// species is closed.
type species string

const (
	cat species = "cat"
	dog species = "dog"
	other = 7
)
`

func read(t *testing.T) Docs {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "animal.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	docs, err := ReadDocs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

func TestDocument(t *testing.T) {
	t.Parallel()
	text, err := Document(API{
		Title: "Zoo", Version: "v1", Error: struct{ meta }{}.meta, Docs: read(t),
		Choices: map[reflect.Type][]reflect.Type{reflect.TypeFor[thing](): {reflect.TypeFor[animal]()}},
		Operations: []Operation{
			{ID: "list", Method: "GET", Path: "/animal", Summary: "All", Reply: List{Of: page{}, Items: "items", Element: &animal{}}, Query: []Parameter{{"species", "only these"}}},
			{ID: "put", Method: "PUT", Path: "/animal/{name}", Summary: "One", Roles: []string{"keeper"}, Body: &animal{}, Reply: animal{}, Headers: []Parameter{{"Age", "in days"}}},
			{ID: "delete", Method: "DELETE", Path: "/animal/{name}", Summary: "None", Roles: []string{"keeper"}},
			{ID: "photo", Method: "GET", Path: "/photo", Summary: "A photo", Media: "image/png"},
			{ID: "any", Method: "GET", Path: "/any", Summary: "Anything", Reply: page{}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	testenv.Golden(t, "zoo.json", string(text))
}

func TestNoRule(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		value any
		want  string
	}{
		{make(chan int), "no rule for kind chan"},
		{struct{ meta }{}, "nobody named the type"},
		{[]thing{}, "nobody said what it can be"},
		{netip.AddrPort{}, "it encodes itself; nobody said how"},
	} {
		_, err := Document(API{Error: meta{}, Operations: []Operation{{Method: "GET", Path: "/", Reply: tt.value}}})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%T: %v, want %q", tt.value, err, tt.want)
		}
	}
}

// Two types of one name cannot both be in a document.
func TestNamesClash(t *testing.T) {
	t.Parallel()
	type Meta struct{}
	_, err := Document(API{Error: meta{}, Operations: []Operation{{Method: "GET", Path: "/", Reply: Meta{}}}})
	if err == nil || !strings.Contains(err.Error(), "has the same name") {
		t.Errorf("got %v", err)
	}
}

func TestReadDocsErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bad.go"), []byte("package ("), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadDocs(dir); err == nil {
		t.Error("source that does not parse was read")
	}
}
