package output

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"weft/internal/testenv"
	"weft/overlay"
)

type thing struct {
	Name    string      `json:"name"`
	Count   int         `json:"count"`
	MAC     overlay.MAC `json:"mac,omitzero"`
	Differs []string    `json:"differs,omitempty"`
}

var things = []thing{
	{Name: "blüe", Count: 3, MAC: overlay.MAC{2, 0, 0x5e, 0x10, 0, 1}, Differs: []string{"no: route", "an <old> entry & more"}},
	{Name: "on", Count: 12000},
}

var columns = []Column[thing]{
	{Title: "Name", Cell: func(t thing) string { return t.Name }},
	{Title: "Count", Cell: func(t thing) string { return fmt.Sprint(t.Count) }},
	{Title: "MAC", Wide: true, Cell: func(t thing) string {
		if t.MAC.IsZero() {
			return ""
		}
		return t.MAC.String()
	}},
	{Title: "Differs", Cell: func(t thing) string { return strings.Join(t.Differs, "\n") }},
}

// TestFormats prints a list, an empty list and one item in each format.
func TestFormats(t *testing.T) {
	t.Parallel()
	flat := append([]Column[thing](nil), columns...)
	flat[3].Cell = func(t thing) string { return Join(t.Differs) }
	for _, f := range Formats() {
		t.Run(f, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			for _, err := range []error{
				List(&b, Format(f), things, flat),
				List(&b, Format(f), nil, flat),
				One(&b, Format(f), things[0], columns),
				One(&b, Format(f), things[1], columns),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			testenv.Golden(t, f+".golden", b.String())
		})
	}
}

func TestFormatFlag(t *testing.T) {
	t.Parallel()
	f := Table
	if err := f.Set("json"); err != nil || f != JSON {
		t.Errorf("%s, %v", f, err)
	}
	for bad, want := range map[string]string{
		"JSON": "want table, wide, json, yaml",
		"xml":  "want table, wide, json, yaml",
		"":     "want table, wide, json, yaml",
	} {
		if err := f.Set(bad); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", bad, err, want)
		}
	}
	if f != JSON {
		t.Errorf("a bad value changed the format to %s", f)
	}
}

func TestWriteError(t *testing.T) {
	t.Parallel()
	for _, f := range Formats() {
		if err := List(fullDisk{}, Format(f), things, columns); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

var errFull = errors.New("no space left")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-1:                                 "",
		0:                                  "0s",
		999 * time.Millisecond:             "0s",
		59*time.Second + 999:               "59s",
		time.Minute:                        "1m",
		3*time.Minute + 12*time.Second:     "3m12s",
		2*time.Hour + 59*time.Second:       "2h",
		2*time.Hour + 5*time.Minute:        "2h5m",
		24*time.Hour - 1:                   "23h59m",
		9*24*time.Hour + 4*time.Hour + 123: "9d4h",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%v) = %q, want %q", d, got, want)
		}
	}
	now := time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC)
	for at, want := range map[time.Time]string{
		{}:                         "",
		now:                        "0s",
		now.Add(time.Hour):         "0s",
		now.Add(-90 * time.Second): "1m30s",
	} {
		if got := Since(now, at); got != want {
			t.Errorf("Since(%v) = %q, want %q", at, got, want)
		}
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	if got := Join([]netip.Addr{netip.MustParseAddr("10.7.0.1"), netip.MustParseAddr("fd00::1")}); got != "10.7.0.1, fd00::1" {
		t.Error(got)
	}
	if got := Join[int](nil); got != "" {
		t.Errorf("%q", got)
	}
}

// FuzzYAML holds that a string printed as YAML is read back as the same string,
// whatever it looks like.
func FuzzYAML(f *testing.F) {
	for _, s := range []string{"", "on", "null", "~", "1e3", "0x10", "02:00", "10.7.0.0/24", "- a", "a: b", "#", "a\nb", "\x00", "\u2028", "é", " a ", "'", `"`, "2026-01-31", "<<", "=", "!x", "&a", "*a", "\t", "a\n", "%", "@", "\u0085"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var b strings.Builder
		if err := List(&b, YAML, []map[string]string{{"key": s}}, nil); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		var got []map[string]string
		if err := yaml.Unmarshal([]byte(b.String()), &got); err != nil {
			t.Fatalf("%q: %v\n%s", s, err, b.String())
		}
		if diff := cmp.Diff([]map[string]string{{"key": valid(t, s)}}, got); diff != "" {
			t.Errorf("%q printed as\n%s\n%s", s, b.String(), diff)
		}
	})
}

// valid is s as JSON has it: bytes that are not UTF-8 are replaced.
func valid(t *testing.T, s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}
