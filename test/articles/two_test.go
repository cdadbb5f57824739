package articles

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/internal/testenv"
)

// TestHere: the articles whose devices this kernel has.
func TestHere(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	testenv.Need(t, "ip", "bridge", "busybox", "ping")
	for _, a := range vxlanArticles {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			a.test(t, here{})
		})
	}
}

// TestThere: the others, in a machine whose kernel has them.
func TestThere(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	m := newMachine(t)
	for _, a := range ipArticles {
		t.Run(a.name, func(t *testing.T) { a.test(t, m) })
	}
}

// Of each set-up there are two files in examples/local, and no file is left untested.
func TestExamples(t *testing.T) {
	t.Parallel()
	want := []string{"README.md"}
	names := slices.Clone(segments)
	for _, a := range slices.Concat(vxlanArticles, ipArticles) {
		names = append(names, a.name)
	}
	for _, name := range names {
		want = append(want, name+side[0]+".yaml", name+side[1]+".yaml")
	}
	files, err := os.ReadDir("../../examples/local")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Name())
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tested (-), in examples/local (+):\n%s", diff)
	}
}

// onKernel has a tunnel on the kernel plane, instead of where its node prefers.
var onKernel = []string{"spec:\n  mode:", "spec:\n  plane: kernel\n  mode:"}

// test has the article's hosts talk: one of them built by what is typed there and the other
// declared on the kernel plane; both declared, the first on the plane that its node chooses;
// and the other way round. On either plane Weft explains what was typed.
func (a article) test(t *testing.T, at place) {
	p := newPair(t, a, [2]place{at, at})
	p.typeOn(0)
	p.hosts[1].apply(a.name+side[1], onKernel...)
	p.talk("typed on -a, declared on -b")
	p.untype(0)

	p.hosts[0].apply(a.name + side[0])
	if got := p.hosts[0].plane(a.tunnel); got != a.auto {
		t.Errorf("the node chose plane %q, want %s", got, a.auto)
	}
	p.hosts[0].explains(p.inside[0])
	p.talk("declared on both")
	p.hosts[1].down()
	p.hosts[1].left(a.tunnel)

	p.typeOn(1)
	p.talk("declared on -a, typed on -b")
	p.hosts[0].down()
	p.hosts[0].left(a.tunnel)

	p.hosts[0].apply(a.name+side[0], onKernel...)
	p.hosts[0].explains(p.inside[0])
}

// plane is the one that Weft's status says a tunnel is on.
func (h *host) plane(tunnel string) string {
	h.Helper()
	for line := range strings.Lines(h.weft("status")) {
		if f := strings.Fields(line); slices.Contains(f, tunnel) && slices.Index(f, tunnel)+1 < len(f) {
			return f[slices.Index(f, tunnel)+1]
		}
	}
	return ""
}

// left fails the test if something of Weft's is still there.
func (h *host) left(tunnel string) {
	h.Helper()
	if out := h.run("ip link; ip route; sysctl net.ipv4.ip_forward"); strings.Contains(out, "weft") || strings.Contains(out, tunnel) ||
		!strings.Contains(out, "ip_forward = 0") {
		h.Errorf("left after weft down: %s", out)
	}
}
