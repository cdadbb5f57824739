package matrix

import (
	"fmt"
	"slices"

	"weft/overlay"
)

// verdict is what becomes of what a column is about.
type verdict string

const (
	passes  verdict = "passes"
	refused verdict = "refused"
	// fails: it should pass, or be answered, and is not.
	fails verdict = "fails"
	// absent: there is no such thing in the row.
	absent verdict = "none"
)

// outcome is what becomes of it, and why.
type outcome struct {
	verdict verdict
	// drop is the reason under which Weft counts what it has refused; empty: it does not say.
	drop overlay.DropReason
	// statistic of the kernel's counts it; empty: none.
	statistic statistic
	// note is for those who read the document.
	note string
}

func (o outcome) String() string {
	text := string(o.verdict)
	if o.drop != "" {
		text += ": " + string(o.drop)
	}
	if o.note != "" {
		text += fmt.Sprintf(" (%s)", o.note)
	}
	return text
}

// counts reports whether somebody does.
func (o outcome) counts() bool { return o.drop != "" || o.statistic != "" }

func none(why string) outcome { return outcome{verdict: absent, note: why} }

// counted is refused under a reason.
func counted(why overlay.DropReason) outcome { return outcome{verdict: refused, drop: why} }

// inStatistic is refused by the kernel, which counts it.
func inStatistic(s statistic) outcome {
	return outcome{verdict: refused, statistic: s, note: s.String()}
}

// silent is refused by the kernel, which does not say why.
func silent(how string) outcome { return outcome{verdict: refused, note: how} }

var good = outcome{verdict: passes}

// fits reports whether packets of a family pass in the row.
func (r row) fits(f overlay.Family) bool { return slices.Contains(r.inside(), f) }
