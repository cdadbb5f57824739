package openapi

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// object is a JSON object; encoding/json writes its keys in order.
type object = map[string]any

// schemas makes schemas of Go types, as encoding/json writes these.
type schemas struct {
	docs Docs
	// named are the schemas of named types, by the name they have in the document.
	named object
	// types guards against two types of one name.
	types map[string]reflect.Type
	// choices are the types that a value of an interface type can have.
	choices map[reflect.Type][]reflect.Type
	// special are the schemas of types that encode themselves.
	special map[reflect.Type]object
}

// known are types of the standard library that encode themselves.
func known() map[reflect.Type]object {
	return map[reflect.Type]object{
		reflect.TypeFor[netip.Addr]():    {"type": "string", "examples": []string{"10.7.0.2", "fd07::2"}},
		reflect.TypeFor[netip.Prefix]():  {"type": "string", "examples": []string{"10.7.0.0/24", "fd07::/64"}},
		reflect.TypeFor[time.Time]():     {"type": "string", "format": "date-time"},
		reflect.TypeFor[time.Duration](): {"type": "integer", "description": "nanoseconds"},
	}
}

// of returns a type's schema; that of a struct or an enumeration is a reference.
func (s *schemas) of(t reflect.Type) (object, error) {
	if special, ok := s.special[t]; ok {
		return special, nil
	}
	if t.Kind() != reflect.Pointer && t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return nil, fmt.Errorf("make schema of %s: it encodes itself; nobody said how", t)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Struct:
		return s.reference(t, s.structure)
	case reflect.String:
		if len(s.docs.values[t.String()]) > 0 {
			return s.reference(t, s.enumeration)
		}
		return object{"type": "string"}, nil
	case reflect.Bool:
		return object{"type": "boolean"}, nil
	case reflect.Int, reflect.Int32, reflect.Int64:
		return object{"type": "integer"}, nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer", "minimum": 0}, nil
	case reflect.Slice:
		items, err := s.of(t.Elem())
		return object{"type": "array", "items": items}, err
	case reflect.Array:
		items, err := s.of(t.Elem())
		return object{"type": "array", "items": items, "minItems": t.Len(), "maxItems": t.Len()}, err
	case reflect.Map:
		values, err := s.of(t.Elem())
		return object{"type": "object", "additionalProperties": values}, err
	case reflect.Interface:
		return s.choice(t)
	}
	return nil, fmt.Errorf("make schema of %s: no rule for kind %s", t, t.Kind())
}

// choice is the schema of an interface: one of the types that are known for it.
func (s *schemas) choice(t reflect.Type) (object, error) {
	var all []object
	for _, c := range s.choices[t] {
		one, err := s.of(c)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	if all == nil {
		return nil, fmt.Errorf("make schema of %s: nobody said what it can be", t)
	}
	return object{"oneOf": all}, nil
}

// reference puts a type's schema under its name, and refers to it.
func (s *schemas) reference(t reflect.Type, build func(reflect.Type) (object, error)) (object, error) {
	if t.Name() == "" {
		return nil, fmt.Errorf("make schema of %s: nobody named the type", t)
	}
	name := nameOf(t)
	if was, ok := s.types[name]; ok && was != t {
		return nil, fmt.Errorf("make schema of %s: %s has the same name", t, was)
	}
	if _, ok := s.types[name]; !ok {
		s.types[name] = t
		schema, err := build(t)
		if err != nil {
			return nil, err
		}
		if about := s.docs.comments[sourceOf(t)]; about != "" {
			schema["description"] = about
		}
		s.named[name] = schema
	}
	return object{"$ref": "#/components/schemas/" + name}, nil
}

// nameOf is a type's name in the document, without the parameters of generics.
func nameOf(t reflect.Type) string {
	name, _, _ := strings.Cut(t.Name(), "[")
	return string(unicode.ToUpper(rune(name[0]))) + name[1:]
}

// sourceOf is the name under which the docs have a type.
func sourceOf(t reflect.Type) string {
	name, _, _ := strings.Cut(t.String(), "[")
	return name
}

func (s *schemas) enumeration(t reflect.Type) (object, error) {
	return object{"type": "string", "enum": s.docs.values[t.String()]}, nil
}

func (s *schemas) structure(t reflect.Type) (object, error) {
	properties, required := object{}, []string{}
	if err := s.fields(t, properties, &required); err != nil {
		return nil, err
	}
	slices.Sort(required)
	schema := object{"type": "object", "properties": properties} // others may come with later versions
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema, nil
}

// fields adds a struct's fields, with those of embedded structs.
func (s *schemas) fields(t reflect.Type, properties object, required *[]string) error {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := strings.Split(f.Tag.Get("json"), ",")
		if f.Anonymous && tag[0] == "" {
			if err := s.fields(f.Type, properties, required); err != nil {
				return err
			}
			continue
		}
		if !f.IsExported() || tag[0] == "-" {
			continue
		}
		name := tag[0]
		if name == "" {
			name = f.Name
		}
		schema, err := s.of(f.Type)
		if err != nil {
			return err
		}
		if about := s.docs.comments[sourceOf(t)+"."+f.Name]; about != "" {
			schema = with(schema, "description", about)
		}
		for _, limit := range []string{"minimum", "maximum"} {
			if n, err := strconv.Atoi(f.Tag.Get(limit)); err == nil {
				schema = with(schema, limit, n)
			}
		}
		properties[name] = schema
		if !slices.Contains(tag[1:], "omitempty") && !slices.Contains(tag[1:], "omitzero") {
			*required = append(*required, name)
		}
	}
	return nil
}

// with is a copy of a schema with one more key.
func with(schema object, key string, value any) object {
	more := object{key: value}
	for k, v := range schema {
		if _, ok := more[k]; !ok {
			more[k] = v
		}
	}
	return more
}
