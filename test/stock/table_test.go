package stock

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/internal/testenv"
	"weft/overlay"
)

// tableFile is what people read of the devices.
const tableFile = "../../docs/interop.md"

// above stands before the table.
const above = `# Peers that know nothing of Weft

A network of Weft's takes in hosts that have only the kernel's own tunnel devices. The test of each row (` + "`test/stock`" + `, which writes this
table with ` + "`-update`" + `) has Weft on the one side, and on the other Debian's Linux 6.12 with the device that ` + "`ip link add DEV`" + ` makes of the
last column ($local is its own address, $weft that of Weft's host). Both ways, in each family inside: pings, small and of the largest packet with DF set, and TCP in segments that are cut
behind the plane. tshark finds nothing malformed on the wire and no wrong checksum; the outer addresses are the hosts' own.

- Devices over IPv6 need ` + "`udp6zerocsumrx`" + ` where there is UDP: large segments have no outer checksum.
- With ` + "`ip6gretap`, `ip6gre` and `ip6tnl`" + ` the kernel adds a tunnel encapsulation limit, 8 bytes (RFC 2473 section 4.1.1), which Weft takes;
  what the peer sends may be so much shorter, unless it says ` + "`encaplimit none`" + `.
- A row with * is run on Linux 6.1 and 6.12, too, with Weft's plane there.

`

// table is what the file has.
func table() string {
	starred := map[device]bool{}
	for _, d := range briefly(devices) {
		starred[d] = true
	}
	var b strings.Builder
	b.WriteString(above)
	b.WriteString("| encapsulation | kind | underlay | inside | Weft's plane | the peer's device |\n|---|---|---|---|---|---|\n")
	for _, d := range devices {
		star := ""
		if starred[d] {
			star = " *"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s%s | `%s` |\n", d.e, d.kind, d.underlay, list(d.inside()), d.plane, star, d.link)
	}
	return b.String()
}

func list(families []overlay.Family) string {
	var names []string
	for _, f := range families {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// others begins what test/articles writes behind the table.
const others = "\n## Tunnels that stand alone\n"

// The file has the devices that are tested, and no others.
func TestTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	got, rest, _ := strings.Cut(string(text), others)
	if testenv.Updating() {
		got = table()
		if err := os.WriteFile(tableFile, []byte(got+others+rest), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(table(), got); diff != "" {
		t.Errorf("%s: want (-), got (+); go test -update accepts it\n%s", tableFile, diff)
	}
}
