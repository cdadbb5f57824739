package bench

// Target is how a way is to compare with another, or what it is to reach by itself.
type Target struct {
	Measure string `json:"measure"`
	Way     string `json:"way"`
	// To is the other; empty: the figure itself is held to Ratio.
	To string `json:"to,omitempty"`
	// Ratio of the two is to be at least this; at most, where less is better.
	Ratio float64 `json:"ratio"`
}

// Verdict is what became of a target.
type Verdict struct {
	Target
	Measure Measure
	Part    string
	// Got is the median of the rounds' ratios, with its spread.
	Got     Spread
	Reached bool
}

// Verdicts judges the part's targets. Those of ways that were not measured are left
// out.
func (p *Part) Verdicts() []Verdict {
	var all []Verdict
	for _, t := range p.Targets {
		ratios := p.ratios(t)
		if len(ratios) == 0 {
			continue
		}
		v := Verdict{Target: t, Measure: p.measure(t.Measure), Part: p.Name, Got: SpreadOf(ratios)}
		v.Reached = v.Got.Median >= t.Ratio
		if v.Measure.Less {
			v.Reached = v.Got.Median <= t.Ratio
		}
		all = append(all, v)
	}
	return all
}

// ratios are what a target is about, by round; none if that was not measured.
func (p *Part) ratios(t Target) []float64 {
	of, to := p.Find(t.Way), p.Find(t.To)
	switch {
	case of == nil:
		return nil
	case t.To == "":
		return of.Values[t.Measure]
	case to == nil:
		return nil
	}
	return Ratios(of.Values[t.Measure], to.Values[t.Measure])
}

// Verdicts judges all targets.
func (r *Report) Verdicts() []Verdict {
	var all []Verdict
	for i := range r.Parts {
		all = append(all, r.Parts[i].Verdicts()...)
	}
	return all
}
