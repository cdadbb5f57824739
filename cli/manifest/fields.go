package manifest

import (
	"reflect"
	"strings"
)

// A schema is what a struct looks like in JSON: its fields' names in their
// order, and where each is. Fields of embedded structs count as the outer
// struct's own, as encoding/json has it.
type schema struct {
	names []string
	index map[string][]int
}

func schemaOf(t reflect.Type) schema {
	s := schema{index: map[string][]int{}}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		s.names = append(s.names, name)
		s.index[name] = f.Index
	}
	return s
}

// suggest says how an unknown name can be mended: the nearest known one, or all
// of them when none is near.
func suggest(unknown string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if strings.EqualFold(k, unknown) {
			return "did you mean " + k + "?"
		}
		if d := edits(strings.ToLower(unknown), strings.ToLower(k)); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	if best == "" {
		return "want one of " + strings.Join(known, ", ")
	}
	return "did you mean " + best + "?"
}

// edits is the Levenshtein distance: how many letters have to be inserted,
// removed or replaced to make one of the other.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
