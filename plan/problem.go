package plan

import (
	"fmt"
	"slices"
)

// refuse notes a problem: something that is left out, and why.
func (f *frame) refuse(format string, args ...any) {
	f.problems = append(f.problems, fmt.Sprintf(format, args...))
}

// sortProblems puts them in an order that does not depend on how they were found.
func (f *frame) sortProblems() {
	slices.Sort(f.problems)
	f.problems = slices.Compact(f.problems)
}
