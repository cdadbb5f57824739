package manifest

import (
	"reflect"
	"strconv"
	"strings"

	"weft/cli/suggest"
)

// A schema is what a struct looks like in JSON: its fields' names in their
// order, and where each is. Fields of embedded structs count as the outer
// struct's own, as encoding/json has it.
type schema struct {
	names  []string
	fields map[string]field
}

type field struct {
	index  []int
	limits limits
}

// limits are what a field's tags minimum and maximum say that its number can
// be; the zero value is a field without them.
type limits struct{ low, high int64 }

func limitsOf(tag reflect.StructTag) limits {
	low, err1 := strconv.ParseInt(tag.Get("minimum"), 10, 64)
	high, err2 := strconv.ParseInt(tag.Get("maximum"), 10, 64)
	if err1 != nil || err2 != nil {
		return limits{}
	}
	return limits{low, high}
}

// hold reports whether a number is within the limits.
func (l limits) hold(v reflect.Value) bool {
	switch {
	case l == limits{}:
		return true
	case v.CanUint():
		return v.Uint() >= uint64(l.low) && v.Uint() <= uint64(l.high)
	}
	return v.CanInt() && v.Int() >= l.low && v.Int() <= l.high
}

func schemaOf(t reflect.Type) schema {
	s := schema{fields: map[string]field{}}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		s.names = append(s.names, name)
		s.fields[name] = field{f.Index, limitsOf(f.Tag)}
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
