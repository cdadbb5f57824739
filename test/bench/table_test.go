package bench

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// row is one measure of all courses: values by course and round.
type row struct {
	name   string
	values [][]float64
}

func newRow(name string, courses int) row { return row{name, make([][]float64, courses)} }

func (r row) add(course int, v float64) { r.values[course] = append(r.values[course], v) }

// quartiles of the values: a quarter of them is below the first, half below the
// median, three quarters below the third.
func quartiles(values []float64) (first, median, third float64) {
	sorted := slices.Sorted(slices.Values(values))
	at := func(share float64) float64 {
		place := share * float64(len(sorted)-1)
		below := int(place)
		above := min(below+1, len(sorted)-1)
		return sorted[below] + (place-float64(below))*(sorted[above]-sorted[below])
	}
	return at(0.25), at(0.5), at(0.75)
}

// ratios are round by round: two measurements that follow each other share what
// disturbs the machine, so they are steadier than either.
func ratios(of, to []float64) []float64 {
	all := make([]float64, len(of))
	for i := range of {
		all[i] = of[i] / to[i]
	}
	return all
}

// table prints the rows, and how the first course compares with each other one.
func table(courses []course, rows []row) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, c := range courses {
		fmt.Fprintf(w, "\t%s", c.name)
	}
	for _, c := range courses[1:] {
		fmt.Fprintf(w, "\t%s / %s", courses[0].name, c.name)
	}
	fmt.Fprintln(w)
	for _, r := range rows {
		fmt.Fprint(w, r.name)
		for _, values := range r.values {
			fmt.Fprint(w, "\t", spread(values))
		}
		for _, values := range r.values[1:] {
			fmt.Fprint(w, "\t", spread(ratios(r.values[0], values)))
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err.Error() // a strings.Builder takes everything
	}
	return text.String()
}

func spread(values []float64) string {
	first, median, third := quartiles(values)
	return fmt.Sprintf("%.3g (%.3g–%.3g)", median, first, third)
}

func TestTable(t *testing.T) {
	t.Parallel()
	r := newRow("speed", 2)
	for _, v := range []float64{3, 1, 2} {
		r.add(0, v)
		r.add(1, 2*v)
	}
	want := "" +
		"       x              y            x / y\n" +
		"speed  2 (1.5–2.5)  4 (3–5)  0.5 (0.5–0.5)\n"
	got := table([]course{{name: "x"}, {name: "y"}}, []row{r})
	if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
