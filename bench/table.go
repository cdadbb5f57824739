package bench

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// grid is a table: its first row is the head.
type grid [][]string

// grid of the part: a row for each way, a column for each measure, medians with
// quartiles.
func (p *Part) grid() grid {
	head := []string{""}
	for _, m := range p.Measures {
		head = append(head, m.Name+": "+m.Unit)
	}
	all := grid{head}
	for _, s := range p.Series {
		row := []string{s.Way}
		for _, m := range p.Measures {
			row = append(row, spread(s.Values[m.ID]))
		}
		all = append(all, row)
	}
	return all
}

// verdicts is a table of targets: a row for each part and pair of ways, a column for each
// measure; nil if there are none.
func verdicts(all []Verdict) grid {
	if len(all) == 0 {
		return nil
	}
	g := grid{{"goals"}}
	rows, columns := map[string]int{}, map[string]int{}
	for _, v := range all {
		row, column := v.Part+": "+v.Way, v.Measure.Name
		if v.To != "" {
			row += " / " + v.To
		} else {
			column += ": " + v.Measure.Unit
		}
		if _, there := columns[column]; !there {
			columns[column] = len(g[0])
			g[0] = append(g[0], column)
		}
		if _, there := rows[row]; !there {
			rows[row] = len(g)
			g = append(g, []string{row})
		}
		r := rows[row]
		for len(g[r]) <= columns[column] {
			g[r] = append(g[r], "")
		}
		g[r][columns[column]] = v.String()
	}
	for i := range g {
		g[i] = append(g[i], make([]string, len(g[0])-len(g[i]))...)
	}
	return g
}

// String prints what was got and what was wanted: "0.97 ≥ 0.95", or "0.91, not ≥ 0.95".
func (v Verdict) String() string {
	sign, not := "≥", ""
	if v.Measure.Less {
		sign = "≤"
	}
	if !v.Reached {
		not = ", not"
	}
	return fmt.Sprintf("%s%s %s %s", Figure(v.Got.Median), not, sign, Figure(v.Ratio))
}

// spread prints values' median and quartiles, a single one by itself.
func spread(values []float64) string {
	switch len(values) {
	case 0:
		return ""
	case 1:
		return Figure(values[0])
	}
	return SpreadOf(values).String()
}

// String prints the median and, in brackets, the quartiles.
func (s Spread) String() string {
	return fmt.Sprintf("%s (%s–%s)", Figure(s.Median), Figure(s.First), Figure(s.Third))
}

// Figure prints three digits, and never an exponent.
func Figure(v float64) string {
	digits := 2
	for limit := 10.0; v >= limit && digits > 0; limit *= 10 {
		digits--
	}
	if v > 0 && v < 0.1 {
		digits = 3
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// text aligns the columns with blanks.
func (g grid) text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range g {
		if _, err := fmt.Fprintln(t, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}

// markdown writes the grid as a table of Markdown.
func (g grid) markdown(b *strings.Builder) {
	for i, row := range g {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(b, "|%s\n", strings.Repeat("---|", len(row)))
		}
	}
}
