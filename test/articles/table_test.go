package articles

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/internal/testenv"
)

// tableFile is what people read; the part from begin on is of this package's tests.
const (
	tableFile = "../../docs/interop.md"
	begin     = "\n## Tunnels that stand alone\n"
	preface   = `
A host that follows no server (` + "`weft apply --local`" + `) and one that somebody built with ` + "`ip` and `bridge`" + `, by the commands of an article, talk; so do two
hosts of Weft's, one on the kernel plane and one on the plane that it chooses. The test of each row is in ` + "`test/articles`, which writes this table with `-update`" + `; pings go either way, between hosts behind the
two where the set-up has such, which know no more than a default route.

| [set-up](../examples/local/README.md) | the peer's kernel | Weft's plane | chosen by itself |
|---|---|---|---|
`
)

// segments are the set-ups of more than two hosts, all on the kernel plane: learning, a group and
// tables kept by hand are its own.
var segments = []string{"vxlan-fdb", "vxlan-proxy", "vxlan-docker", "vxlan-multicast"}

// table is that part.
func table() string {
	var b strings.Builder
	b.WriteString(begin + preface)
	row := func(name, kernel, auto string) {
		planes := "kernel"
		if auto != planes {
			planes += ", " + auto
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, kernel, planes, auto)
	}
	for _, a := range vxlanArticles {
		row(a.name, "this machine's", a.auto)
	}
	for _, name := range segments {
		row(name, "this machine's", "kernel")
	}
	for _, a := range ipArticles {
		row(a.name, "Debian's Linux 6.12", a.auto)
	}
	return b.String()
}

// The file has the set-ups that are tested, and no others.
func TestTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), begin)
	got := begin + rest
	if testenv.Updating() {
		got = table()
		if err := os.WriteFile(tableFile, []byte(before+got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(table(), got); diff != "" {
		t.Errorf("%s: want (-), got (+); go test -update accepts it\n%s", tableFile, diff)
	}
}
