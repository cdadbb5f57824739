package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"weft/overlay"
	"weft/store"
)

// Key returns the key that the change is for, checked: stores build paths from
// its parts.
func Key(c store.Change) (overlay.Key, error) {
	k := c.Delete
	if c.Put != nil {
		k = c.Put.Key()
	}
	if overlay.New(k.Kind) == nil {
		return k, fmt.Errorf("write %q: kind %q is unknown", k.Name, k.Kind)
	}
	if err := overlay.CheckName(strings.ToLower(string(k.Kind)), k.Name); err != nil {
		return k, err
	}
	if k.Kind.Networked() && !(k.Kind.StandsAlone() && k.Network == "") {
		return k, overlay.CheckName("network", string(k.Network))
	}
	if k.Network != "" && !k.Kind.Networked() {
		return k, fmt.Errorf("%s: a %s belongs to no network", k, strings.ToLower(string(k.Kind)))
	}
	return k, nil
}

// Expect checks the revision that the writer has seen against the one found, 0
// when the resource does not exist.
func Expect(k overlay.Key, have, expected int64) error {
	if expected == store.Any || expected == have {
		return nil
	}
	return &store.ConflictError{Key: k, Have: have, Expected: expected}
}

// Compare orders keys as a Reset lists them: by kind, in the order in which
// kinds can be created, then by network and name.
func Compare(a, b overlay.Key) int {
	kinds := overlay.Kinds()
	return cmp.Or(
		cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)),
		cmp.Compare(a.Network, b.Network),
		cmp.Compare(a.Name, b.Name),
	)
}

// Sort sorts resources by [Compare].
func Sort(list []overlay.Resource) {
	slices.SortFunc(list, func(a, b overlay.Resource) int { return Compare(a.Key(), b.Key()) })
}
