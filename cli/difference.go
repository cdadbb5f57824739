package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"weft/overlay"
)

// difference prints, field by field, what a change does to a resource: lines
// that begin with a minus are what is stored, with a plus what is declared.
func difference(c change) (string, error) {
	before, err := fieldsOf(c.current)
	if err != nil {
		return "", err
	}
	after, err := fieldsOf(c.desired)
	if err != nil {
		return "", err
	}
	if c.current == nil {
		maps.Copy(after, chosen(c.desired))
	}
	var b strings.Builder
	key := c.desired.Key()
	if c.current == nil {
		fmt.Fprintf(&b, "--- %s (not in the store)\n", key)
	} else {
		fmt.Fprintf(&b, "--- %s (revision %d)\n", key, c.current.Header().Revision)
	}
	fmt.Fprintf(&b, "+++ %s (%s)\n", key, c.where)
	names := slices.Collect(maps.Keys(before))
	names = slices.AppendSeq(names, maps.Keys(after))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		was, had := before[name]
		is, has := after[name]
		if had && !(has && was == is) {
			fmt.Fprintf(&b, "-%s: %s\n", name, was)
		}
		if has && !(had && was == is) {
			fmt.Fprintf(&b, "+%s: %s\n", name, is)
		}
	}
	return b.String(), nil
}

// chosen are the fields of a new resource that a server will choose.
func chosen(r overlay.Resource) map[string]string {
	const byServer = "(the server chooses)"
	fields := map[string]string{}
	switch r := r.(type) {
	case *overlay.Network:
		if r.Spec.VNI == 0 {
			fields["spec.vni"] = byServer
		}
	case *overlay.Endpoint:
		if r.Spec.Port == overlay.PortSingle && r.Spec.MAC.IsZero() {
			fields["spec.mac"] = byServer
		}
		if r.Spec.Port == overlay.PortSingle && len(r.Spec.Addresses) == 0 {
			fields["spec.addresses"] = byServer
		}
	}
	return fields
}

// fieldsOf is a resource's spec as "spec.attach.type" → "netns".
func fieldsOf(r overlay.Resource) (map[string]string, error) {
	fields := map[string]string{}
	if r == nil {
		return fields, nil
	}
	text, err := json.Marshal(specOf(r))
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", r.Key(), err)
	}
	var spec any
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(&spec); err != nil {
		return nil, fmt.Errorf("encode %s: %w", r.Key(), err)
	}
	flatten("spec", spec, fields)
	return fields, nil
}

func flatten(path string, v any, into map[string]string) {
	if object, ok := v.(map[string]any); ok {
		for name, field := range object {
			flatten(path+"."+name, field, into)
		}
		return
	}
	into[path] = inline(v)
}

func inline(v any) string {
	if object, ok := v.(map[string]any); ok {
		var texts []string
		for _, name := range slices.Sorted(maps.Keys(object)) {
			texts = append(texts, name+": "+inline(object[name]))
		}
		return "{" + strings.Join(texts, ", ") + "}"
	}
	items, ok := v.([]any)
	if !ok {
		return fmt.Sprint(v)
	}
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = inline(item)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}
