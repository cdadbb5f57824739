package bench

import (
	"math"
	"slices"
)

// Spread is the middle half of some values: a quarter of them is below First, half
// below Median, three quarters below Third.
type Spread struct {
	First, Median, Third float64
}

// SpreadOf returns the quartiles of values, between which it interpolates linearly.
// It is zero for no values.
func SpreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	at := func(share float64) float64 {
		place := share * float64(len(sorted)-1)
		below := int(place)
		above := min(below+1, len(sorted)-1)
		return sorted[below] + (place-float64(below))*(sorted[above]-sorted[below])
	}
	return Spread{at(0.25), at(0.5), at(0.75)}
}

// Ratios are round by round: two measurements that follow each other share what
// disturbs the machine, so they are steadier than either. Rounds that only one of
// them has, or in which to is 0, have none.
func Ratios(of, to []float64) []float64 {
	var all []float64
	for i := range min(len(of), len(to)) {
		if to[i] != 0 {
			all = append(all, of[i]/to[i])
		}
	}
	return all
}

// fiveDigits rounds v to five significant ones.
func fiveDigits(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	unit := math.Pow10(int(math.Floor(math.Log10(math.Abs(v)))) - 4)
	if unit < 1 { // which has no exact reciprocal
		unit = math.Round(1 / unit)
		return math.Round(v*unit) / unit
	}
	return math.Round(v/unit) * unit
}
