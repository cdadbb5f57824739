package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// API is what a document is made of.
type API struct {
	Title, Description, Version string
	Operations                  []Operation
	// Local: whoever reaches the API may use all of it, without a certificate.
	Local bool
	// Error is a value of the type that refusals have.
	Error any
	// Choices are, for interface types, the types that values can have.
	Choices map[reflect.Type][]reflect.Type
	// Special are schemas of types that encode themselves.
	Special map[reflect.Type]map[string]any
	Docs    Docs
}

// Operation is one method of one path.
type Operation struct {
	ID, Method, Path, Summary string
	// Roles that may use it; none: everybody, also without a certificate.
	Roles []string
	Query []Parameter
	// Body and Reply are values of the types that go in and out; nil for none.
	// A List is a list of its element.
	Body, Reply any
	// Media is the reply's type [application/json].
	Media string
	// Headers of the reply.
	Headers []Parameter
}

// Parameter is one of a query.
type Parameter struct{ Name, Description string }

// List says that a reply is an object of type Of whose field Items, in JSON, has
// elements of the type of Element alone.
type List struct {
	Of      any
	Items   string
	Element any
}

// Document is the document as indented JSON.
func Document(a API) ([]byte, error) {
	s := &schemas{docs: a.Docs, named: object{}, types: map[string]reflect.Type{}, choices: a.Choices, special: known()}
	for t, schema := range a.Special {
		s.special[t] = schema
	}
	refusal, err := s.of(reflect.TypeOf(a.Error))
	if err != nil {
		return nil, err
	}
	paths := object{}
	for _, o := range a.Operations {
		operation, err := s.operation(o, a.Local)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", o.Method, o.Path, err)
		}
		path, ok := paths[o.Path].(object)
		if !ok {
			path = object{}
			paths[o.Path] = path
		}
		path[strings.ToLower(o.Method)] = operation
	}
	document := object{
		"openapi": "3.1.0",
		"info":    object{"title": a.Title, "description": a.Description, "version": a.Version},
		"paths":   paths,
	}
	components := object{
		"schemas":   s.named,
		"responses": object{"refusal": response("A refusal: one line, its kind, and what to do", "application/json", refusal)},
	}
	document["components"] = components
	if !a.Local {
		document["security"] = []object{{"certificate": []string{}}}
		components["securitySchemes"] = object{"certificate": object{"type": "mutualTLS", "description": "A certificate from /v1/join, whose role says what its holder may do"}}
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err = e.Encode(document)
	return out.Bytes(), err
}

func (s *schemas) operation(o Operation, local bool) (object, error) {
	out := object{"operationId": o.ID, "summary": o.Summary}
	switch {
	case local:
	case len(o.Roles) > 0:
		out["description"] = "For the roles " + strings.Join(o.Roles, ", ") + "."
	default:
		out["description"] = "For everybody, also without a certificate."
		out["security"] = []object{}
	}
	if p := parameters(o); len(p) > 0 {
		out["parameters"] = p
	}
	if o.Body != nil {
		schema, err := s.of(reflect.TypeOf(o.Body))
		if err != nil {
			return nil, err
		}
		out["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": schema}}}
	}
	done, err := s.success(o)
	if err != nil {
		return nil, err
	}
	done["default"] = object{"$ref": "#/components/responses/refusal"}
	out["responses"] = done
	return out, nil
}

func (s *schemas) success(o Operation) (object, error) {
	if o.Reply == nil && o.Media == "" {
		return object{"204": tells(object{"description": "Done"}, o.Headers)}, nil
	}
	media := o.Media
	if media == "" {
		media = "application/json"
	}
	schema, err := s.reply(o.Reply)
	if err != nil {
		return nil, err
	}
	return object{"200": tells(response(o.Summary, media, schema), o.Headers)}, nil
}

// tells adds headers to a response.
func tells(response object, headers []Parameter) object {
	if len(headers) == 0 {
		return response
	}
	all := object{}
	for _, h := range headers {
		all[h.Name] = object{"description": h.Description, "schema": object{"type": "string"}}
	}
	return with(response, "headers", all)
}

func (s *schemas) reply(v any) (object, error) {
	switch v := v.(type) {
	case nil:
		return object{"type": "string"}, nil
	case List:
		return s.list(v)
	}
	return s.of(reflect.TypeOf(v))
}

func (s *schemas) list(l List) (object, error) {
	schema, err := s.structure(reflect.TypeOf(l.Of))
	if err != nil {
		return nil, err
	}
	element, err := s.of(reflect.TypeOf(l.Element))
	if err != nil {
		return nil, err
	}
	schema["properties"].(object)[l.Items] = object{"type": "array", "items": element}
	return schema, nil
}

func response(description, media string, schema object) object {
	return object{"description": description, "content": object{media: object{"schema": schema}}}
}

var inPath = regexp.MustCompile(`\{(\w+)\}`)

func parameters(o Operation) []object {
	var all []object
	for _, m := range inPath.FindAllStringSubmatch(o.Path, -1) {
		all = append(all, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, p := range o.Query {
		all = append(all, object{"name": p.Name, "in": "query", "description": p.Description, "schema": object{"type": "string"}})
	}
	return all
}
