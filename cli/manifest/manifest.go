package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"weft/overlay"
)

// Document is one resource of a manifest.
type Document struct {
	Resource overlay.Resource
	File     string
	Line     int // where the resource begins, from 1
}

// Where is "FILE:LINE".
func (d Document) Where() string { return fmt.Sprintf("%s:%d", d.File, d.Line) }

// Decode reads all resources of a file, in its order. Every error is an
// [*Error] with the file's name.
func Decode(file string, text []byte) ([]Document, error) {
	documents, err := decode(text)
	if err != nil {
		err.File = file
		return nil, err
	}
	for i := range documents {
		documents[i].File = file
	}
	return documents, nil
}

func decode(text []byte) ([]Document, *Error) {
	nodes, err := resources(text)
	if err != nil {
		return nil, err
	}
	if len(nodes) == 0 {
		return nil, &Error{Reason: "there is no resource in it"}
	}
	var documents []Document
	first := map[overlay.Key]int{}
	for _, n := range nodes {
		r, err := resource(n)
		if err != nil {
			return nil, err
		}
		if line, twice := first[r.Key()]; twice {
			return nil, errorAt(n, "", "%s stands here twice; the first is on line %d", r.Key(), line)
		}
		first[r.Key()] = n.Line
		documents = append(documents, Document{Resource: r, Line: n.Line})
	}
	return documents, nil
}

// resources returns the nodes that hold one resource each.
func resources(text []byte) ([]*yaml.Node, *Error) {
	var nodes []*yaml.Node
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var document yaml.Node
		err := d.Decode(&document)
		if errors.Is(err, io.EOF) {
			return nodes, nil
		}
		if err != nil {
			return nil, syntaxError(err)
		}
		root := document.Content[0]
		switch {
		case root.Kind == yaml.SequenceNode:
			nodes = append(nodes, root.Content...)
		case root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null":
			// an empty document, as after a trailing "---"
		default:
			nodes = append(nodes, root)
		}
	}
}

// yaml's errors are "yaml: line 3: mapping values are not allowed …".
var syntax = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func syntaxError(err error) *Error {
	text := oneLine(err)
	match := syntax.FindStringSubmatch(text)
	if match == nil {
		return &Error{Reason: text}
	}
	line, _ := strconv.Atoi(match[1]) // 0 when yaml names none
	return &Error{Line: line, Reason: "not YAML: " + strings.TrimPrefix(text, match[0])}
}

// resource reads one resource and forgets what the store sets.
func resource(n *yaml.Node) (overlay.Resource, *Error) {
	kind, err := kindOf(n)
	if err != nil {
		return nil, err
	}
	r := overlay.New(kind)
	v := reflect.ValueOf(r).Elem()
	if err := set(v, n, "", limits{}); err != nil {
		return nil, err
	}
	h := r.Header()
	if h.Network != "" && !kind.Networked() {
		return nil, errorAt(n, "network", "a %s belongs to no network; leave it out", strings.ToLower(string(kind)))
	}
	*h = overlay.Meta{Kind: kind, Network: h.Network, Name: h.Name}
	if status := v.FieldByName("Status"); status.IsValid() {
		status.SetZero()
	}
	return r, nil
}

// kindOf finds the kind, which decides what the other fields are.
func kindOf(n *yaml.Node) (overlay.Kind, *Error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		return "", errorAt(n, "", "want a resource with kind, name and spec, not %s", what(n))
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key, value := n.Content[i], n.Content[i+1]; key.Value == "kind" {
			kind, err := overlay.ParseKind(value.Value)
			if err != nil {
				return "", errorAt(value, "", "%s", err)
			}
			return kind, nil
		}
	}
	return "", errorAt(n, "kind", "missing; want Network, Endpoint or Tunnel, or Node with weft apply --local")
}
