package plan

import (
	"fmt"
	"slices"
)

// refuse notes a problem: something that is left out, and why.
func (f *frame) refuse(format string, args ...any) {
	f.refused = append(f.refused, fmt.Sprintf(format, args...))
}

// allProblems are the problems in a stable order.
func (f *frame) allProblems() []string {
	slices.Sort(f.refused)
	return slices.Compact(f.refused)
}
