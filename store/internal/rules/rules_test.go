package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"weft/overlay"
	"weft/store"
)

var noon = time.Date(2001, 2, 3, 12, 0, 0, 0, time.FixedZone("", 3600))

func node(mtu int) *overlay.Node {
	return &overlay.Node{
		Meta: overlay.Meta{Kind: overlay.KindNode, Name: "a"},
		Spec: overlay.NodeSpec{
			Underlay:    []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")},
			UnderlayMTU: mtu,
			VTEPMAC:     overlay.VTEPMACFor("a"),
		},
	}
}

// TestUnknownFieldsStay: a document of a later version of Weft keeps what this
// one does not know when this one writes the other half, or the same again.
func TestUnknownFieldsStay(t *testing.T) {
	t.Parallel()
	old := []byte(`{"kind":"Node","name":"a","uid":"u","generation":4,"created":"2001-02-03T04:05:06Z",` +
		`"spec":{"underlay":["192.0.2.1/24"],"underlayMTU":1500,"vtepMAC":"` + node(0).Spec.VTEPMAC.String() + `","new":1},` +
		`"status":{"version":"9","more":[2]}}`)
	report := node(0)
	report.Status.Version = "8"
	for _, tt := range []struct {
		name    string
		change  store.Change
		want    []string
		changed bool
	}{
		{"status", store.Change{Put: report, Status: true}, []string{`"new":1`, `"version":"8"`, `"generation":4`}, true},
		{"spec", store.Change{Put: node(1400)}, []string{`"underlayMTU":1400`, `"more":[2]`, `"generation":5`, `"uid":"u"`}, true},
		{"same spec", store.Change{Put: node(1500)}, []string{`"new":1`, `"more":[2]`, `"generation":4`}, false},
	} {
		got, err := Write(old, tt.change, noon)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		for _, want := range tt.want {
			if !strings.Contains(string(got), want) {
				t.Errorf("%s: no %s in %s", tt.name, want, got)
			}
		}
		if (string(got) != string(old)) != tt.changed {
			t.Errorf("%s: got %s", tt.name, got)
		}
	}
}

func TestWriteCreates(t *testing.T) {
	t.Parallel()
	doc, err := Write(nil, store.Change{Put: node(1500)}, noon)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Decode(overlay.KindNode, doc, 7)
	if err != nil {
		t.Fatal(err)
	}
	m := *r.Header()
	if !m.Created.Equal(noon) || m.Created.Location() != time.UTC || m.Revision != 7 || len(m.UID) < 20 {
		t.Errorf("got %+v", m)
	}
	if strings.Contains(string(doc), "revision") {
		t.Errorf("the document has a revision: %s", doc)
	}
}

func TestBadDocuments(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{"", "{", `{"spec":{"underlayMTU":"much"}}`} {
		if r, err := Decode(overlay.KindNode, []byte(doc), 1); err == nil {
			t.Errorf("%q: got %v", doc, r)
		}
		if _, err := Write([]byte(doc), store.Change{Put: node(1500)}, noon); err == nil {
			t.Errorf("%q: written over", doc)
		}
	}
	if r, err := Decode("Nothing", []byte("{}"), 1); err == nil {
		t.Errorf("unknown kind: got %v", r)
	}
	if _, err := Write(nil, store.Change{Put: node(0), Status: true}, noon); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("status of nothing: got %v", err)
	}
	bad := node(1500)
	bad.Status.Seen = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	var encoding *json.MarshalerError
	if _, err := Write(nil, store.Change{Put: bad}, noon); !errors.As(err, &encoding) {
		t.Errorf("a year that JSON cannot have: got %v", err)
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	put := func(name string, before bool) Event {
		r := &overlay.Node{Meta: overlay.Meta{Kind: overlay.KindNode, Name: name}}
		return Event{Key: r.Key(), Before: before, After: r}
	}
	gone := func(name string) Event {
		return Event{Key: overlay.Key{Kind: overlay.KindNode, Name: name}, Before: true}
	}
	for _, tt := range []struct {
		name   string
		events []Event
		want   string
	}{
		{"nothing", nil, "+[] -[]"},
		{"once each", []Event{put("a", false), put("b", true), gone("c")}, "+[a b] -[c]"},
		{"last one wins", []Event{put("a", true), put("b", false), gone("a")}, "+[b] -[a]"},
		{"order of the last", []Event{put("a", false), put("b", false), put("a", true)}, "+[b a] -[]"},
		{"came and went", []Event{put("a", false), gone("a")}, "+[] -[a]"},
		{"went and came", []Event{gone("a"), put("a", false)}, "+[a] -[]"},
		{"went, came and went", []Event{gone("a"), put("a", false), gone("a")}, "+[] -[a]"},
	} {
		puts, deletes := Fold(tt.events)
		names, away := []string{}, []string{}
		for _, r := range puts {
			names = append(names, r.Key().Name)
		}
		for _, k := range deletes {
			away = append(away, k.Name)
		}
		if got := fmt.Sprintf("+%v -%v", names, away); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}
