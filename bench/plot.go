package bench

import (
	"cmp"
	"fmt"
	"html"
	"strings"
)

// Sizes of the plot, in pixels.
const (
	plotLabels = 190 // the ways' names
	plotPanel  = 230 // one measure
	plotRow    = 17  // one way
	plotHead   = 46  // a part's heading and the measures' names
	plotGap    = 18
	// plotMost is the ratio at a panel's right end; longer bars are cut there.
	plotMost = 1.6
)

// plotStyle keeps text and bars readable on light and dark ground: the plot brings
// its own ground, by what the reader's system prefers.
const plotStyle = `<style>
 .ground{fill:#ffffff} text{fill:#1f2328;font:12px system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
 .part{font-weight:600;font-size:14px} .soft{fill:#59636e}
 .ours{fill:#0a7ea4} .hand{fill:#8c959f} .foreign{fill:#c2661a}
 .figure{font-size:11px;stroke:#ffffff;stroke-width:3px;paint-order:stroke}
 .one{stroke:#1f2328;stroke-dasharray:3 3} .whisker{stroke:#1f2328;stroke-width:1.5} .rule{stroke:#d1d9e0}
 @media (prefers-color-scheme:dark){
 .ground{fill:#0d1117} .figure{stroke:#0d1117} text{fill:#e6edf3} .soft{fill:#9198a1}
 .ours{fill:#3fb0d8} .hand{fill:#6e7681} .foreign{fill:#e08a3c}
 .one,.whisker{stroke:#e6edf3} .rule{stroke:#30363d}}
</style>
`

// Plot draws parts below each other: for each measure a panel with a bar for each
// way, as long as its ratio to the way base, round by round: medians, and quartiles
// as whiskers. Parts without that way are left out.
func Plot(parts []Part, measures []string, base string) string {
	var b strings.Builder
	y := plotGap
	for i := range parts {
		if p := &parts[i]; p.Find(base) != nil {
			y = p.plot(&b, y, measures, base)
		}
	}
	fmt.Fprintf(&b, `<text class="soft" x="%d" y="%d">ratio to “%s”: median and quartiles of the rounds; »: the bar is cut</text>`+"\n",
		plotLabels, y+4, html.EscapeString(base))
	width, height := plotLabels+len(measures)*(plotPanel+plotGap), y+plotGap
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" role="img" aria-label="How ways compare">`+"\n",
		width, height) + plotStyle + `<rect class="ground" width="100%" height="100%"/>` + "\n" + b.String() + "</svg>\n"
}

// plot draws a part from y on and returns where it ends.
func (p *Part) plot(b *strings.Builder, y int, measures []string, base string) int {
	fmt.Fprintf(b, `<text class="part" x="10" y="%d">%s</text>`+"\n", y+14, html.EscapeString(p.Name))
	top, bottom := y+plotHead, y+plotHead+len(p.Series)*plotRow
	for i, s := range p.Series {
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", plotLabels-8, top+i*plotRow+12, html.EscapeString(s.Way))
	}
	for column, id := range measures {
		m, x := p.measure(id), plotLabels+column*(plotPanel+plotGap)
		fmt.Fprintf(b, `<text x="%d" y="%d">%s <tspan class="soft">%s</tspan></text>`+"\n",
			x, y+36, html.EscapeString(m.Name), map[bool]string{true: "less is better", false: "more is better"}[m.Less])
		fmt.Fprintf(b, `<line class="rule" x1="%[1]d" y1="%[2]d" x2="%[1]d" y2="%[3]d"/>`+"\n", x, top, bottom)
		fmt.Fprintf(b, `<line class="one" x1="%[1]d" y1="%[2]d" x2="%[1]d" y2="%[3]d"/>`+"\n", x+long(1), top, bottom)
		for i, s := range p.Series {
			bar(b, x, top+i*plotRow, s.Origin, Ratios(s.Values[id], p.Find(base).Values[id]))
		}
	}
	return bottom + plotGap
}

// bar draws one way in one panel.
func bar(b *strings.Builder, x, y int, origin Origin, ratios []float64) {
	if len(ratios) == 0 {
		fmt.Fprintf(b, `<text class="figure soft" x="%d" y="%d">–</text>`+"\n", x+4, y+12)
		return
	}
	s := SpreadOf(ratios)
	class := cmp.Or(map[Origin]string{Ours: "ours", Foreign: "foreign"}[origin], "hand")
	fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%d" height="%d"/>`+"\n", class, x, y+2, long(s.Median), plotRow-5)
	fmt.Fprintf(b, `<line class="whisker" x1="%d" y1="%[2]d" x2="%d" y2="%[2]d"/>`+"\n", x+long(s.First), y+8, x+long(s.Third))
	label := Figure(s.Median)
	if s.Median > plotMost {
		label += " »"
	}
	fmt.Fprintf(b, `<text class="figure" x="%d" y="%d">%s</text>`+"\n", x+long(max(s.Median, s.Third))+5, y+12, label)
}

// long is the length of a ratio; room is left for the figure behind it.
func long(ratio float64) int {
	return int(min(ratio, plotMost) / plotMost * (plotPanel - 40))
}
