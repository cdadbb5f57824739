package testenv

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// tag is this test binary's own: five random letters and digits, in every name
// it gives.
var tag = strings.ToLower(rand.Text()[:5])

var serial atomic.Uint64

// Name returns a name that nobody else uses: prefix, a dash, and seven or more
// letters and digits. It fits a network interface, so prefix has at most 6
// letters.
func Name(t testing.TB, prefix string) string {
	t.Helper()
	name := fmt.Sprintf("%s-%s%02s", prefix, tag, strconv.FormatUint(serial.Add(1), 36))
	if len(name) >= unix.IFNAMSIZ {
		t.Fatalf("name %s is too long for an interface: shorten the prefix %q", name, prefix)
	}
	return name
}

// Namespace makes a network namespace for the test, as ip netns add would, and
// returns its path. It goes when the test ends.
func Namespace(t testing.TB) string {
	t.Helper()
	NeedRoot(t)
	path := netns.Named(Name(t, "test"))
	if err := netns.Create(path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := netns.Delete(path); err != nil {
			t.Error(err)
		}
	})
	return path
}
