package manifest

import (
	"reflect"
	"strings"

	"weft/cli/suggest"
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

// hint says how an unknown name can be mended: the nearest known one, or all of
// them when none is near.
func hint(unknown string, known []string) string {
	if nearest := suggest.Nearest(unknown, known); nearest != "" {
		return "did you mean " + nearest + "?"
	}
	return "want one of " + strings.Join(known, ", ")
}
