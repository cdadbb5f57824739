package plan

import (
	"fmt"
	"slices"
)

// refuse notes a problem: something that is left out, and why.
func (f *frame) refuse(format string, args ...any) {
	f.problems = append(f.problems, fmt.Sprintf(format, args...))
}

// allProblems are those of the network and of its ports, in an order that does
// not depend on how they were found.
func (f *frame) allProblems() []string {
	all := slices.Concat(f.problems, f.portProblems)
	slices.Sort(all)
	return slices.Compact(all)
}
