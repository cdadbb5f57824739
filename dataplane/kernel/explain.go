package kernel

import "weft/dataplane"

// Explain is the commands that would make the State by hand on a host that has
// nothing of it, one on a line.
func Explain(s dataplane.State, dir string) []string {
	var lines []string
	for _, want := range []Objects{Lower(s, dir), LowerHost(s)} {
		for _, op := range Diff(want, NewObjects()) {
			if several, ok := op.(interface{ lines() []string }); ok {
				lines = append(lines, several.lines()...)
				continue
			}
			lines = append(lines, op.String())
		}
	}
	return lines
}
