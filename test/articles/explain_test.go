package articles

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// command is one of ip's or bridge's: what it is about, and its options, in whatever order
// and spelling it was typed.
type command struct {
	about   string
	options map[string]string
}

// short are the objects and verbs that articles shorten.
var short = [2]map[string]string{
	{"l": "link", "a": "address", "addr": "address", "r": "route", "neigh": "neighbor"},
	{"a": "add", "s": "set", "replace": "add"},
}

// flags are options without a value.
var flags = []string{"nolearning", "proxy", "csum", "icsum", "ocsum", "seq", "iseq", "oseq", "up", "self", "onlink", "external"}

// unsaid are options that an article leaves out and Weft does not: what the kernel does
// anyway, or what the host had been told before.
var unsaid = map[string]string{
	"ttl": "64", "tos": "inherit", "proto": "static", "nud": "permanent",
	"mode":  "ipip",                       // of type ipip, which ip tunnel calls mode
	"local": "", "mtu": "", "address": "", // any
}

// zeros is the MAC that stands for all that the FDB does not have.
const zeros = "00:00:00:00:00:00"

// parse reads a script, without what is neither ip's nor bridge's.
func parse(script string) (all []command) {
	script = strings.ReplaceAll(script, "\\\n", " ")
	for line := range strings.Lines(script) {
		words := strings.Fields(line)
		if len(words) > 0 && words[0] == "sudo" {
			words = words[1:]
		}
		if len(words) < 4 || words[0] != "ip" && words[0] != "bridge" {
			continue
		}
		words = words[1:]
		for i := range 2 {
			if long, ok := short[i][words[i]]; ok {
				words[i] = long
			}
		}
		c := command{strings.Join(words[:2], " "), map[string]string{}}
		words = words[2:]
		if c.about == "tunnel add" { // of the same devices, in older words
			c.about = "link add"
			for i, w := range words {
				if w == "mode" {
					words[i] = "type"
				}
			}
		}
		all = append(all, c.read(words))
	}
	return all
}

// read reads what follows "ip OBJECT VERB".
func (c command) read(words []string) command {
	if words[0] == "name" || words[0] == "dev" && c.about == "link set" {
		words = words[1:]
	}
	c.about += " " + words[0]
	for words = words[1:]; len(words) > 0; {
		key := words[0]
		if slices.Contains(flags, key) {
			c.options[key], words = "", words[1:]
			continue
		}
		if len(words) == 1 { // "permanent"
			words = append(words, "")
		}
		value := words[1]
		if n, err := strconv.ParseUint(value, 0, 32); err == nil && strings.HasSuffix(key, "key") { // or four numbers in dots
			value = netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}).String()
		}
		c.options[key], words = value, words[2:]
	}
	if strings.HasPrefix(c.about, "fdb append ") && !strings.HasSuffix(c.about, zeros) {
		c.about = strings.Replace(c.about, "append", "add", 1) // there is no other to append it to
	}
	if strings.HasPrefix(c.about, "address add ") && !strings.Contains(c.about, "/") {
		c.about += "/32"
	}
	return c
}

// String has the options in order.
func (c command) String() string {
	words := []string{c.about}
	for _, key := range slices.Sorted(maps.Keys(c.options)) {
		words = append(words, strings.TrimSpace(key+" "+c.options[key]))
	}
	return strings.Join(words, " ")
}

// named tells which command of the one side is which of the other.
func (c command) named() string {
	return c.about + " " + c.options["dst"] // the MAC of zeros has several
}

// normal is a script, with a vxlan's remote as what it is: where frames go that nothing else
// in its FDB is about.
func normal(script string) []command {
	var all []command
	for _, c := range parse(script) {
		if remote, ok := c.options["remote"]; ok && c.options["type"] == "vxlan" {
			delete(c.options, "remote")
			device := strings.TrimPrefix(c.about, "link add ")
			all = append(all, command{"fdb append " + zeros, map[string]string{"dev": device, "dst": remote}})
		}
		if _, ok := c.options["alias"]; ok { // Weft's tag
			continue
		}
		delete(c.options, "self")
		delete(c.options, "permanent")
		all = append(all, c)
	}
	return all
}

// compareScripts says in what a script that Weft prints is not what an article types: each
// command has to be there, with the same options, and no other.
func compareScripts(typed, printed string) string {
	got := map[string]command{}
	for _, c := range normal(printed) {
		got[c.named()] = c
	}
	var lines [2][]string
	for _, c := range normal(typed) {
		lines[0] = append(lines[0], c.String())
		for key, value := range unsaid {
			if _, said := c.options[key]; !said && (value == "" || got[c.named()].options[key] == value) {
				delete(got[c.named()].options, key)
			}
		}
	}
	for _, c := range got {
		lines[1] = append(lines[1], c.String())
	}
	slices.Sort(lines[0])
	slices.Sort(lines[1])
	return cmp.Diff(lines[0], lines[1])
}

// explains fails the test unless "weft explain" prints what the article types.
func (h *host) explains(typed string) {
	h.Helper()
	if diff := compareScripts(typed, h.weft("explain")); diff != "" {
		h.Errorf("the article types (-), weft explain prints (+):\n%s", diff)
	}
}

// The comparison notices what is missing, more, or different.
func TestExplained(t *testing.T) {
	t.Parallel()
	script := "sudo ip tunnel add t0 \\\n mode gre remote 192.0.2.2 local 192.0.2.1 ttl 255 okey 0x222222 csum\nip l s dev t0 up\nip a a 10.0.0.1 dev t0"
	same := "ip link add name t0 mtu 1472 type gre local 192.0.2.1 okey 0.34.34.34 csum ttl 255 remote 192.0.2.2 tos inherit\nip link set t0 alias weft:/t0\nip address add 10.0.0.1/32 dev t0\nip link set t0 up"
	if diff := compareScripts(script, same); diff != "" {
		t.Error(diff)
	}
	for _, change := range [][2]string{{" csum", ""}, {"34.34 csum", "34.35 csum"}, {"ttl 255", "ttl 64"}, {"/32", "/24"}, {"ip link set t0 up", ""}, {"local 192.0.2.1", "local 192.0.2.3"}} {
		if compareScripts(script, strings.Replace(same, change[0], change[1], 1)) == "" {
			t.Errorf("with %q instead of %q it is the same", change[1], change[0])
		}
	}
}
