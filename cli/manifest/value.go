package manifest

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// set puts what a YAML node says into a Go value; path names the value for errors.
// Null leaves the value as it is, as encoding/json does.
func set(v reflect.Value, n *yaml.Node, path string, l limits) *Error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return nil
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return set(v.Elem(), n, path, l)
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return setText(u, n, path)
	}
	switch v.Kind() {
	case reflect.Struct:
		return setStruct(v, n, path)
	case reflect.Slice:
		return setSlice(v, n, path)
	}
	return setScalar(v, n, path, l)
}

// setText gives the scalar as it was written to a type that reads itself.
func setText(u encoding.TextUnmarshaler, n *yaml.Node, path string) *Error {
	if n.Kind != yaml.ScalarNode {
		return errorAt(n, path, "want one value, not %s", what(n))
	}
	if err := u.UnmarshalText([]byte(n.Value)); err != nil {
		return errorAt(n, path, "%s", unreadable(u, n.Value, err))
	}
	return nil
}

// unreadable says what was wanted where a standard library's error does not;
// Weft's own types do so themselves.
func unreadable(u encoding.TextUnmarshaler, text string, err error) string {
	switch u.(type) {
	case *netip.Prefix:
		return fmt.Sprintf("%q: want a prefix such as 10.7.0.0/24 or fd00:7::/64", text)
	case *netip.Addr:
		return fmt.Sprintf("%q: want an IP address such as 10.7.0.5 or fd00:7::5", text)
	case *time.Time:
		return fmt.Sprintf("%q: want a time such as 2026-01-31T09:00:00Z", text)
	}
	return oneLine(err)
}

func setStruct(v reflect.Value, n *yaml.Node, path string) *Error {
	if n.Kind != yaml.MappingNode {
		return errorAt(n, path, "want fields, not %s", what(n))
	}
	s := schemaOf(v.Type())
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return errorAt(key, path, "want a field's name, not %s", what(key))
		}
		field, known := s.fields[key.Value]
		if !known {
			return errorAt(key, join(path, key.Value), "unknown field; %s", hint(key.Value, s.names))
		}
		if line, twice := seen[key.Value]; twice {
			return errorAt(key, join(path, key.Value), "given twice; the first is on line %d", line)
		}
		seen[key.Value] = key.Line
		if err := set(v.FieldByIndex(field.index), value, join(path, key.Value), field.limits); err != nil {
			return err
		}
	}
	return nil
}

func setSlice(v reflect.Value, n *yaml.Node, path string) *Error {
	if n.Kind != yaml.SequenceNode {
		return errorAt(n, path, "want a list such as [%s], not %s", n.Value, what(n))
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		if err := set(list.Index(i), item, fmt.Sprintf("%s[%d]", path, i), limits{}); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

// setScalar sets a string, a truth value or a number; the node's own type has
// to be the value's: a name that looks like a number must be quoted.
func setScalar(v reflect.Value, n *yaml.Node, path string, l limits) *Error {
	mismatch := errorAt(n, path, "want %s, not %s", wanted(v.Type(), l), what(n))
	if n.Kind != yaml.ScalarNode {
		return mismatch
	}
	switch tag := n.ShortTag(); v.Kind() {
	case reflect.String:
		if tag != "!!str" {
			mismatch.Reason += "; put it in quotes"
			return mismatch
		}
		v.SetString(n.Value)
		return nil
	case reflect.Bool:
		if tag != "!!bool" {
			return mismatch
		}
	default:
		if tag != "!!int" {
			return mismatch
		}
	}
	if err := n.Decode(v.Addr().Interface()); err != nil || !l.hold(v) {
		return mismatch // a number that is out of range
	}
	return nil
}

// wanted describes a scalar type to the user.
func wanted(t reflect.Type, l limits) string {
	if l != (limits{}) {
		return fmt.Sprintf("a whole number from %d to %d", l.low, l.high)
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return fmt.Sprintf("a whole number from 0 to %d", uint64(1)<<t.Bits()-1)
	}
	return "a whole number"
}

// what describes a node to the user.
func what(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "fields"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "the alias *" + n.Value
	}
	switch n.ShortTag() {
	case "!!str":
		return fmt.Sprintf("the text %q", n.Value)
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!null":
		return "nothing"
	}
	return n.Value
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}
