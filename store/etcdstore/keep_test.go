package etcdstore

import (
	"fmt"
	"sync"
	"testing"

	"weft/overlay"
	"weft/store"
)

// TestKeep: of many who keep a value under one name, all get the same one, which
// no watch shows.
func TestKeep(t *testing.T) {
	t.Parallel()
	e := embedded(t, t.TempDir(), EmbedOptions{})
	var wg sync.WaitGroup
	got := make([]string, 8)
	for i := range got {
		wg.Go(func() {
			value, err := e.Keep(t.Context(), "ca", fmt.Append(nil, "key ", i))
			if err != nil {
				t.Error(err)
			}
			got[i] = string(value)
		})
	}
	wg.Wait()
	for _, value := range got {
		if value != got[0] || value == "" {
			t.Errorf("got %q and %q", got[0], value)
		}
	}
	if other, err := e.Keep(t.Context(), "other", []byte("mine")); err != nil || string(other) != "mine" {
		t.Errorf("another name: got %q, error %v", other, err)
	}
	if all, _ := list(t, e, store.Interest{Kinds: overlay.Kinds()}); len(all) > 0 {
		t.Errorf("the store shows %v", all)
	}
}
