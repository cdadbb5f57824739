package matrix

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/internal/testenv"
	"weft/overlay"
)

// tableFile is what people read; its part before others is of this package's tests.
const (
	tableFile = "../../docs/interop.md"
	others    = "\n## Tunnels that stand alone\n"
)

// above stands before the table.
const above = `# Who understands Weft's packets, and how far

Each line is a network or a tunnel of Weft's on one of its planes, and the peers at the other end with which it is tested on every run. What the cells say
is what the tests hold the two to (` + "`test/matrix`, which writes this with `-update`" + `); a note says why there is no such peer, or no such thing.

Peers: *Linux 6.12* is Debian's kernel in a virtual machine, with the device that the list at the end has; *typed* is the same device of this machine's kernel, in a
namespace beside; *Open vSwitch* is 3.1 with its own datapath; *Weft* is itself, on another plane.

| column | what is done |
|---|---|
| IPv4, IPv6 | pings, either way |
| TCP | data, either way; what is sent leaves the near end in pieces of up to 64 KiB, which are cut behind the plane |
| largest | pings that fill the wire's MTU to the last byte with DF set, either way |
| larger | one byte more is answered with the ICMP error, and the right MTU: to a network's endpoint, and to a host behind the tunnel's |
| 224.0.0.5 | pings to the group of OSPF's routers, and to ff02::1, either way; in a routed network packets of OSPF's, to 224.0.0.5 and ff02::5 |
| broadcast | pings to the subnet's broadcast address, either way |
| wrong key | a packet of the peer's, with another key, VNI or port, is refused |
| stranger | a packet of the peer's from another address is refused |
| checksum | a packet of the peer's with a wrong GRE or outer UDP checksum is refused |
| late | a packet of the peer's with a number before the last one's is refused |

` + "`word`" + ` is the reason under which Weft counts what it has refused. All other packets are as tshark, too, expects them: nothing malformed, no wrong checksum, the hosts' own
addresses and VNI outside, no frame larger than the wire takes. In what the last four columns are about the peer has no part: they are tested with the first peer of those that
a subject has on a plane.

`

// devices stands before the list of what peers type.
const devices = `
### The peer's device

What ` + "`ip link add DEV`" + ` goes on with at a peer that is Linux; $local is its own address, $weft that of Weft's host, and $vni the VNI, which is the key of GRE's networks.
Bare packets in UDP need ` + "`ip fou add port 8285 ipproto 4`" + ` (or 41, and ` + "`ip -6`" + ` over IPv6) before.

- Devices over IPv6 need ` + "`udp6zerocsumrx`" + ` where there is UDP: large segments have no outer checksum.
- With ` + "`ip6gretap`, `ip6gre` and `ip6tnl`" + ` the kernel adds a tunnel encapsulation limit, 8 bytes (RFC 2473 section 4.1.1), which Weft takes;
  what the peer sends may be so much shorter, unless it says ` + "`encaplimit none`" + `.

| | over | device |
|---|---|---|
`

// notes numbers what is said more than once.
type notes struct{ all []string }

// mark is the number of a note, as a cell has it.
func (n *notes) mark(text string) string {
	i := slices.Index(n.all, text)
	if i < 0 {
		i, n.all = len(n.all), append(n.all, text)
	}
	return fmt.Sprintf("[%d]", i+1)
}

// cell is what a line says of an outcome.
func (n *notes) cell(c column, o outcome) string {
	text := map[verdict]string{passes: "✓", refused: "refused", absent: "–", fails: "**fails**"}[o.verdict]
	if c.made && o.verdict == passes {
		text = "**let in**"
	}
	if o.drop != "" {
		text = "`" + string(o.drop) + "`"
	}
	if o.note != "" {
		text += " " + n.mark(o.note)
	}
	return text
}

// line is one of the table: a subject with the peers with which the same becomes of everything.
type line struct {
	over          []string
	with, without string
	cells         string
}

// lines are those of a subject on a plane: one for both underlays where these do not differ.
func (n *notes) lines(s subject, plane overlay.PlaneName) (all []line) {
	for _, over := range families {
		if notHere(row{s, over, plane, stock, 0}) != "" {
			continue
		}
		var without []string
		with := map[string][]string{}
		var order []string
		for _, peer := range peers {
			r := row{s, over, plane, peer, 0}
			if at, why := place(r); at == "" {
				without = append(without, string(peer)+" "+n.mark(why))
				continue
			}
			cells := n.cells(r)
			if with[cells] == nil {
				order = append(order, cells)
			}
			with[cells] = append(with[cells], string(peer))
		}
		for _, cells := range order {
			l := line{[]string{string(over)}, strings.Join(with[cells], ", "), strings.Join(without, ", "), cells}
			same := slices.IndexFunc(all, func(o line) bool { return o.with == l.with && o.without == l.without && o.cells == l.cells })
			if same >= 0 {
				all[same].over = append(all[same].over, string(over))
			} else {
				all = append(all, l)
			}
		}
	}
	return all
}

// cells are those of a row.
func (n *notes) cells(r row) string {
	var all []string
	for _, c := range columns {
		all = append(all, n.cell(c, expected(r, c.name)))
	}
	return strings.Join(all, " | ")
}

// lacking says of a subject why it is not on a plane.
func lacking(s subject, plane overlay.PlaneName) (all []string) {
	on4, on6 := notHere(row{s, v4, plane, stock, 0}), notHere(row{s, v6, plane, stock, 0})
	switch {
	case on4 != "" && on4 == on6:
		return []string{fmt.Sprintf("%s: %s", s, on4)}
	case on4 != "":
		all = append(all, fmt.Sprintf("%s over v4: %s", s, on4))
	}
	if on6 != "" {
		all = append(all, fmt.Sprintf("%s over v6: %s", s, on6))
	}
	return all
}

// faults are the cells that fail.
func faults() (n int) {
	for _, r := range rows {
		for _, c := range columns {
			if expected(r, c.name).verdict == fails {
				n++
			}
		}
	}
	return n
}

// table is what the file has.
func table() string {
	var b strings.Builder
	b.WriteString(above)
	fmt.Fprintf(&b, "Tested are %d rows, of a subject with a peer over an underlay each. In **fails** there is a known fault: in %d of them.\n\n", len(rows), faults())
	n := &notes{}
	for _, plane := range planes {
		fmt.Fprintf(&b, "## Plane %s\n\n| | over | with | not with |", plane)
		for _, c := range columns {
			fmt.Fprintf(&b, " %s |", c.name)
		}
		b.WriteString("\n|---|---|---|---|" + strings.Repeat("---|", len(columns)) + "\n")
		var lacks []string
		for _, s := range subjects {
			for _, l := range n.lines(s, plane) {
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", s, strings.Join(l.over, ", "), l.with, l.without, l.cells)
			}
			lacks = append(lacks, lacking(s, plane)...)
		}
		b.WriteString("\nNot on this plane:\n\n")
		for _, text := range lacks {
			b.WriteString("- " + text + "\n")
		}
		b.WriteString("\n")
	}
	b.WriteString("### Notes\n\n")
	for i, text := range n.all {
		fmt.Fprintf(&b, "%d. %s\n", i+1, text)
	}
	b.WriteString(devices)
	for _, s := range subjects {
		for _, over := range families {
			r := row{s, over, "", stock, 0}
			if s.absent(r) == "" {
				fmt.Fprintf(&b, "| %s | %s | `%s` |\n", s, over, r.template())
			}
		}
	}
	return b.String()
}

// The file has the rows that are tested, and no others.
func TestTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) > 255 {
		t.Fatalf("there are %d rows, and one byte of addresses to tell them apart", len(rows))
	}
	want := table()
	t.Log("\n" + want)
	got, rest, _ := strings.Cut(string(text), others)
	if testenv.Updating() {
		got = want
		if err := os.WriteFile(tableFile, []byte(got+others+rest), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: want (-), got (+); go test -update accepts it\n%s", tableFile, diff)
	}
}
