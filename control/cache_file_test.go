package control

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"weft/overlay"
	"weft/store"
)

// formerCache is the file as versions wrote it that held it in memory as a whole: in one
// line, and without what is empty.
const formerCache = `{"revision":{"incarnation":"i","number":9},"resources":[` +
	`{"kind":"Endpoint","network":"blue","name":"web","uid":"web","generation":5,"revision":5,"spec":{"node":"a","port":"single",` +
	`"mac":"02:00:00:00:00:05","addresses":["10.7.0.5"],"attach":{"type":"netns","target":"/ns/web","identity":"id-web","interface":"eth0"}}},` +
	`{"kind":"Endpoint","network":"blue","name":"new","uid":"new","generation":9,"revision":9,"spec":{"node":"b","port":"quantum",` +
	`"mac":"02:00:00:00:00:09","addresses":["10.7.0.9"],"attach":{"type":"netns","target":"/ns/new","identity":"id-new","interface":"eth0"}}}` +
	`],"unknown":[{"key":{"kind":"Endpoint","network":"blue","name":"new"},"what":"port \"quantum\""}]}`

// remembered is what formerCache holds.
func remembered() store.Batch {
	old, fresh := web("blue", "web", "a", 5), web("blue", "new", "b", 9)
	old.Meta, fresh.Meta = endpoint("blue", "web", "a", 5).Meta, endpoint("blue", "new", "b", 9).Meta
	fresh.Spec.Port = "quantum"
	return store.Batch{
		Revision: at(9), Puts: []overlay.Resource{old, fresh},
		Unknown: map[overlay.Key]string{fresh.Key(): `port "quantum"`},
	}
}

// byValue compares what has fields of its own.
var byValue = cmpopts.EquateComparable(netip.Addr{})

func (c cache) saveBatch(t *testing.T, b store.Batch) {
	t.Helper()
	if err := c.save(b.Revision, slices.Values(b.Puts), b.Unknown); err != nil {
		t.Fatal(err)
	}
}

// TestCacheFormer: what another version wrote is read, whatever it says besides, and in whatever order.
func TestCacheFormer(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"as it was":      formerCache,
		"with more":      `{"later":{"a":[1,2]},` + formerCache[1:],
		"without any":    `{"revision":{"incarnation":"i","number":9},"resources":[]}`,
		"nothing at all": `{}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := cache{cachePath(t)}
			if err := os.WriteFile(c.path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var former struct {
				Revision  overlay.Revision
				Resources []json.RawMessage
			}
			if err := json.Unmarshal([]byte(text), &former); err != nil {
				t.Fatal(err)
			}
			want := store.Batch{Revision: former.Revision, Unknown: map[overlay.Key]string{}}
			if len(former.Resources) > 0 {
				want = remembered()
			}
			got, err := c.load()
			if d := cmp.Diff(want, got, byValue); err != nil || d != "" {
				t.Errorf("%v (-want +got):\n%s", err, d)
			}
		})
	}
}

// TestCacheLater: what is written now is the same to a version that reads the file as a
// whole, and to this one.
func TestCacheLater(t *testing.T) {
	t.Parallel()
	c := cache{cachePath(t)}
	c.saveBatch(t, remembered())
	got, err := c.load()
	if d := cmp.Diff(remembered(), got, byValue); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	text, err := os.ReadFile(c.path)
	if err != nil {
		t.Fatal(err)
	}
	var now, former any
	if err := errors.Join(json.Unmarshal(text, &now), json.Unmarshal([]byte(formerCache), &former)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(former, now); d != "" {
		t.Errorf("the file (-former +now):\n%s", d)
	}
}

// TestCacheTorn: a file that ends anywhere before its end is never taken for a whole one.
func TestCacheTorn(t *testing.T) {
	t.Parallel()
	c := cache{cachePath(t)}
	c.saveBatch(t, remembered())
	whole, err := os.ReadFile(c.path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) - len("}\n") {
		if err := os.WriteFile(c.path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := c.load(); !errors.Is(err, errDamaged) {
			t.Fatalf("the first %d of %d bytes: %v, %v, want %v", n, len(whole), b, err, errDamaged)
		}
	}
	if err := os.WriteFile(c.path, append(whole, "{}"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.load(); !errors.Is(err, errDamaged) {
		t.Errorf("with more behind: %v, want %v", err, errDamaged)
	}
}

// TestCacheUnread: what the disk does not give is not for the content to blame.
func TestCacheUnread(t *testing.T) {
	t.Parallel()
	if _, err := (cache{t.TempDir()}).load(); err == nil || errors.Is(err, errDamaged) {
		t.Errorf("a folder: %v, want an error, and not %v", err, errDamaged)
	}
}

// unwritable is a resource that fails to be written.
type unwritable struct{ *overlay.Endpoint }

var errUnwritable = errors.New("unwritable")

func (unwritable) MarshalJSON() ([]byte, error) { return nil, errUnwritable }

// TestCacheUnwritten: when writing fails in the middle, the file is what it was.
func TestCacheUnwritten(t *testing.T) {
	t.Parallel()
	c := cache{cachePath(t)}
	c.saveBatch(t, remembered())
	bad := remembered()
	bad.Puts = slices.Insert(bad.Puts, 1, overlay.Resource(unwritable{endpoint("blue", "bad", "a", 6)}))
	if err := c.save(bad.Revision, slices.Values(bad.Puts), nil); !errors.Is(err, errUnwritable) {
		t.Errorf("%v, want %v", err, errUnwritable)
	}
	got, err := c.load()
	if d := cmp.Diff(remembered(), got, byValue); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}
