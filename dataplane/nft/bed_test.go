package nft

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/internal/testenv"
)

// bed is a namespace with our Conn to it.
type bed struct {
	testing.TB
	ns   string
	conn *Conn
}

// newBed makes a namespace with devices, each one end of a veth.
func newBed(t testing.TB, devices ...string) *bed {
	t.Helper()
	testenv.Need(t, "nft", "ip")
	b := &bed{TB: t, ns: testenv.Namespace(t)}
	for _, d := range devices {
		testenv.Run(t, b.ns, "ip", "link", "add", d, "type", "veth")
	}
	conn, err := Open(b.ns)
	if err != nil {
		t.Fatal(err)
	}
	b.conn = conn
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// diff is what is still to be done.
func (b *bed) diff(want Ruleset) []Command {
	b.Helper()
	have, _, err := b.conn.Observe(want)
	if err != nil {
		b.Fatal(err)
	}
	return Diff(want, have)
}

// apply makes the namespace match, and fails the test if that is not so then.
func (b *bed) apply(want Ruleset) {
	b.Helper()
	if err := b.conn.Apply(b.diff(want)); err != nil {
		b.Fatal(err)
	}
	for _, c := range b.diff(want) {
		b.Errorf("still to do: %s", c)
	}
}

// nft runs the tool.
func (b *bed) nft(args ...string) {
	b.Helper()
	testenv.Run(b, b.ns, append([]string{"nft"}, args...)...)
}

// script runs what Script prints, by the tool, in place of all that is there.
func (b *bed) script(r Ruleset) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "script.nft")
	if err := os.WriteFile(file, []byte(Script(Diff(r, nil))), 0o600); err != nil {
		b.Fatal(err)
	}
	b.nft("flush", "ruleset")
	b.nft("-f", file)
}

// listed is all that the tool sees in the namespace, an object a line, without what
// is the kernel's to choose.
func (b *bed) listed() []string {
	b.Helper()
	var all struct {
		Objects []map[string]map[string]any `json:"nftables"`
	}
	if err := json.Unmarshal([]byte(testenv.Output(b, b.ns, "nft", "-j", "list", "ruleset")), &all); err != nil {
		b.Fatal(err)
	}
	var lines []string
	rules := map[string]int{} // their order counts, as that of no other objects does
	for _, o := range all.Objects {
		for kind, object := range o {
			if kind == "metainfo" {
				continue
			}
			for _, own := range []string{"handle", "packets", "bytes"} {
				delete(object, own)
			}
			if kind == "rule" {
				chain := strings.Join([]string{object["family"].(string), object["table"].(string), object["chain"].(string)}, " ")
				object["number"] = rules[chain]
				rules[chain]++
			}
			line, err := json.Marshal(map[string]any{kind: object})
			if err != nil {
				b.Fatal(err)
			}
			lines = append(lines, string(line))
		}
	}
	slices.Sort(lines)
	return lines
}

// same fails the test unless the tool sees the same in both.
func same(t testing.TB, ours, theirs *bed) {
	t.Helper()
	if d := cmp.Diff(theirs.listed(), ours.listed()); d != "" {
		t.Errorf("nft -f gives (-), Apply (+):\n%s", d)
	}
}
