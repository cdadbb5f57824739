// Package bench holds the results of measurements: figures by way and round, how
// they compare, and how they are told, as tables, JSON and a plot.
//
// It measures nothing: see probe for that, and course for what Weft is compared
// with. Everything in here is values in, values out.
package bench

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Measure is something that is measured.
type Measure struct {
	// ID is what programs call it: "tcp1". Required.
	ID string `json:"id"`
	// Name and Unit are for people: "TCP, 1 stream" and "Gbit/s".
	Name string `json:"name"`
	Unit string `json:"unit"`
	// Less: less of it is better.
	Less bool `json:"less,omitempty"`
}

// Origin says whose a way is; plots tell them apart.
type Origin string

const (
	ByHand  Origin = "by hand" // what the kernel does without us
	Ours    Origin = "ours"
	Foreign Origin = "foreign"
)

// Series is what was measured of one way.
type Series struct {
	Way    string `json:"way"`
	Origin Origin `json:"origin"`
	// Values are by measure and round. All series of a part have as many rounds.
	Values map[string][]float64 `json:"values"`
}

// Add adds a round's figures, by measure: five digits of each, more would be noise.
func (s *Series) Add(figures map[string]float64) {
	if s.Values == nil {
		s.Values = map[string][]float64{}
	}
	for id, v := range figures {
		s.Values[id] = append(s.Values[id], fiveDigits(v))
	}
}

// Part is ways that were measured under the same circumstances, taking turns.
type Part struct {
	// Name is short: "offloads on"; About is a sentence, or empty.
	Name     string    `json:"name"`
	About    string    `json:"about,omitempty"`
	Measures []Measure `json:"measures"`
	Series   []Series  `json:"series"`
	// Targets are what the figures of the part are held to, or none.
	Targets []Target `json:"targets,omitempty"`
}

// Find returns the series of a way, or nil.
func (p *Part) Find(way string) *Series {
	for i := range p.Series {
		if p.Series[i].Way == way {
			return &p.Series[i]
		}
	}
	return nil
}

// measure returns the measure of an ID; the zero value if there is none.
func (p *Part) measure(id string) Measure {
	for _, m := range p.Measures {
		if m.ID == id {
			return m
		}
	}
	return Measure{}
}

// Report is all that one run measured, and where.
type Report struct {
	Command string    `json:"command"`
	Began   time.Time `json:"began"`
	Machine Machine   `json:"machine"`
	Rounds  int       `json:"rounds"`
	// Span is for how long each measurement sent.
	Span       time.Duration `json:"spanNanoseconds"`
	Congestion string        `json:"congestion"`
	// Busy is how many CPUs did something else in the second before.
	Busy  float64 `json:"busy"`
	Parts []Part  `json:"parts"`
	// LeftOut says of ways why they were not measured.
	LeftOut map[string]string `json:"leftOut,omitempty"`
}

// Machine is what the figures depend on.
type Machine struct {
	CPU    string `json:"cpu"`
	CPUs   int    `json:"cpus"`
	Kernel string `json:"kernel"`
}

// leftOut lists what was left out, by name.
func (r *Report) leftOut() []string {
	return slices.SortedFunc(maps.Keys(r.LeftOut), cmp.Compare[string])
}
