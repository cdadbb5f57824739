package bench

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weft/internal/testenv"
)

// sample is a report with all that a report can have.
func sample() *Report {
	series := func(way string, o Origin, speed, cost float64) Series {
		s := Series{Way: way, Origin: o}
		for _, disturbed := range []float64{1, 0.9, 1.2} {
			s.Add(map[string]float64{"tcp1": speed * disturbed, "cpu": cost * disturbed})
		}
		return s
	}
	return &Report{
		Command: "make bench", Began: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC),
		Machine: Machine{CPU: "Some CPU", CPUs: 2, Kernel: "Linux 6.18"},
		Rounds:  3, Span: 300 * time.Millisecond, Congestion: "cubic", Busy: 0.014,
		LeftOut: map[string]string{"Open vSwitch": "there is no ovs-vswitchd", "another": "why not"},
		Parts: []Part{{
			Name: "offloads on", About: "as veth devices are",
			Measures: []Measure{{ID: "tcp1", Name: "TCP, 1 stream", Unit: "Gbit/s"}, {ID: "cpu", Name: "CPU", Unit: "s/GB", Less: true}},
			Series:   []Series{series("routed", ByHand, 20, 0.5), series("weft <vxlan>", Ours, 19.5, 0.6), series("slow", Foreign, 0.51, 17)},
			Targets: []Target{
				{Measure: "tcp1", Way: "weft <vxlan>", To: "routed", Ratio: 0.95},
				{Measure: "cpu", Way: "weft <vxlan>", To: "routed", Ratio: 1.1},
				{Measure: "tcp1", Way: "unmeasured", To: "routed", Ratio: 1},
				{Measure: "tcp1", Way: "slow", Ratio: 20},
			},
		}, {
			Name:     "flood",
			Measures: []Measure{{ID: "copies", Name: "copies", Unit: "1000/s"}},
			Series:   []Series{{Way: "2 peers", Values: map[string][]float64{"copies": {1234.5}}}, {Way: "nothing"}},
		}},
	}
}

func TestTold(t *testing.T) {
	t.Parallel()
	var text, data bytes.Buffer
	if err := errors.Join(sample().Text(&text), sample().JSON(&data)); err != nil {
		t.Fatal(err)
	}
	testenv.Golden(t, "report.txt", text.String())
	testenv.Golden(t, "report.json", data.String())
	testenv.Golden(t, "report.md", sample().Markdown("plot.svg"))
	var back Report
	if err := json.Unmarshal(data.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), &back); diff != "" {
		t.Errorf("JSON is not the whole report:\n%s", diff)
	}
}

func TestPlot(t *testing.T) {
	t.Parallel()
	plot := Plot(sample().Parts, []string{"tcp1", "cpu"}, "routed")
	testenv.Golden(t, "plot.svg", plot)
	for d := xml.NewDecoder(strings.NewReader(plot)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("no XML: %v", err)
		}
	}
	if strings.Contains(plot, "flood") {
		t.Error("a part without the way that is compared with is drawn")
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	var got []string
	for _, v := range sample().Verdicts() {
		got = append(got, strings.Join([]string{v.Part, v.Measure.ID, Figure(v.Got.Median), map[bool]string{true: "reached", false: "missed"}[v.Reached]}, " "))
	}
	want := []string{"offloads on tcp1 0.97 reached", "offloads on cpu 1.20 missed", "offloads on tcp1 0.51 missed"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   Spread
	}{
		{nil, Spread{}},
		{[]float64{7}, Spread{7, 7, 7}},
		{[]float64{3, 1, 2}, Spread{1.5, 2, 2.5}},
		{[]float64{4, 1, 3, 2, 5}, Spread{2, 3, 4}},
	} {
		if got := SpreadOf(c.values); got != c.want {
			t.Errorf("%v: got %v, want %v", c.values, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 1e9), 1, 30).Draw(t, "values")
		s := SpreadOf(values)
		below := 0
		for _, v := range values {
			if v <= s.Median {
				below++
			}
		}
		if s.First > s.Median || s.Median > s.Third || 2*below < len(values) {
			t.Errorf("%v of %v", s, values)
		}
	})
}

func TestFiveDigits(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]float64{0: 0, 1.23456789: 1.2346, 123456: 123460, 0.000123456: 0.00012346, -9.999999: -10, 20.3: 20.3} {
		if got := fiveDigits(v); math.Abs(got-want) > 1e-12*math.Abs(want) {
			t.Errorf("%g: got %g, want %g", v, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(1e-6, 1e9).Draw(t, "v")
		if got := fiveDigits(v); math.Abs(got-v) > 0.00006*v {
			t.Errorf("%g: got %g", v, got)
		}
	})
}

func TestRatios(t *testing.T) {
	t.Parallel()
	if got := Ratios([]float64{1, 4, 9, 5}, []float64{2, 2, 0}); !cmp.Equal(got, []float64{0.5, 2}) {
		t.Errorf("got %v", got)
	}
}

func TestFigure(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0.00", 0.0312: "0.031", 0.5: "0.50", 9.994: "9.99", 20.34: "20.3", 634.7: "635", 12345: "12345"} {
		if got := Figure(v); got != want {
			t.Errorf("%g: got %s, want %s", v, got, want)
		}
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	document := "# Speed\n\n" + Begin + "\nold\n" + End + "\nrest\n"
	got, err := Replace(document, "new\n\n")
	if want := strings.Replace(document, "old", "new", 1); err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{"", Begin + "\n", End + "\n" + Begin + "\n"} {
		if _, err := Replace(bad, "new"); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestCPUModel(t *testing.T) {
	t.Parallel()
	if got := CPUModel("processor\t: 0\nmodel name\t: Some CPU\n"); got != "Some CPU" {
		t.Errorf("got %q", got)
	}
	if got := CPUModel("processor\t: 0\n"); got != "unknown" {
		t.Errorf("got %q", got)
	}
}
