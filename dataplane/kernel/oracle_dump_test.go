package kernel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	vns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// section is a part of what a namespace has, and the command that shows it.
type section struct {
	name    string
	command []string
	// text: it answers with lines, not with JSON.
	text bool
}

// everything that the tools can show of a namespace; of links see showLinks.
var everything = []section{
	{name: "address", command: []string{"ip", "-j", "address", "show"}},
	{name: "route", command: []string{"ip", "-j", "-d", "route", "show", "table", "all"}},
	{name: "rule", command: []string{"ip", "-j", "rule", "show"}},
	{name: "rule6", command: []string{"ip", "-j", "-6", "rule", "show"}},
	{name: "neigh", command: []string{"ip", "-j", "-d", "neigh", "show"}},
	{name: "fdb", command: []string{"bridge", "-j", "-d", "fdb", "show"}},
	{name: "bridge link", command: []string{"bridge", "-j", "-d", "link", "show"}},
	{name: "qdisc", command: []string{"tc", "-j", "-d", "qdisc", "show"}},
	{name: "filter", command: []string{"sh", "-ec", `
		for dev in $(tc qdisc show | sed -n 's/^qdisc clsact .* dev \([^ ]*\) .*/\1/p'); do
			for way in ingress egress; do tc -j -d filter show dev $dev $way; done
		done`}},
	{name: "nft", command: []string{"nft", "-j", "list", "ruleset"}},
	{name: "sysctl", command: []string{"sysctl", "-a", "--pattern", `^net\.(ipv4|ipv6|bridge)`}, text: true},
}

// dump is what a host has, a line for each property, by namespace and section.
type dump map[string][]string

// difference says which lines are not in both.
func (d dump) difference(o dump) error {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(d)) {
		lines = append(lines, missing("- ", key, d[key], o[key])...)
		lines = append(lines, missing("+ ", key, o[key], d[key])...)
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New("\n" + strings.Join(lines, "\n"))
}

func missing(sign, key string, lines, from []string) []string {
	there := map[string]int{}
	for _, l := range from {
		there[l]++
	}
	var out []string
	for _, l := range lines {
		if there[l]--; there[l] < 0 {
			out = append(out, sign+key+": "+l)
		}
	}
	return out
}

// dumper reads a host. A link's number and the MAC that the kernel gave it are
// replaced by its name, on whichever other thing they stand.
type dumper struct {
	*oracleHost
	exempt exemptions
	// links are names by number, by namespace; nsids namespaces by number, by namespace.
	links map[string]map[int]string
	nsids map[string]map[int]string
	macs  map[string]string
	// shown is what ip link says, by namespace.
	shown map[string][]any
}

// spaces are the host's namespaces by the part they play.
func (h *oracleHost) spaces() map[string]string {
	return map[string]string{"host": h.ns, "domain": h.domain, "workload": h.workload}
}

// dump reads the sections of a host, and leaves out what is exempt.
func (h *oracleHost) dump(sections []section, exempt ...exemption) dump {
	h.t.Helper()
	d, err := h.tryDump(sections, exempt)
	if err != nil {
		h.t.Fatal(err)
	}
	return d
}

func (h *oracleHost) tryDump(sections []section, exempt exemptions) (dump, error) {
	d := &dumper{
		oracleHost: h, exempt: exempt, links: map[string]map[int]string{}, nsids: map[string]map[int]string{},
		macs: map[string]string{}, shown: map[string][]any{},
	}
	if err := d.showLinks(); err != nil {
		return nil, err
	}
	out := dump{}
	for space, path := range h.spaces() {
		out[space+" link"] = d.lines(space, "link", d.shown[space])
		for _, s := range sections {
			lines, err := d.section(space, path, s)
			if err != nil {
				return nil, fmt.Errorf("%s of %s: %w", s.name, space, err)
			}
			out[space+" "+s.name] = lines
		}
	}
	return out, nil
}

// showLinks reads the links of all namespaces, and what they are called.
func (d *dumper) showLinks() error {
	known := strings.Join(Explain(d.state, d.dir, nil), "\n") + hostCommands
	for space, path := range d.spaces() {
		all, err := d.show(path, "ip", "-j", "-d", "link", "show")
		if err != nil {
			return err
		}
		d.shown[space], d.links[space] = all, map[int]string{}
		for _, v := range all {
			l := v.(map[string]any)
			name, mac := fmt.Sprint(l["ifname"]), fmt.Sprint(l["address"])
			index, err := l["ifindex"].(json.Number).Int64()
			if err != nil {
				return err
			}
			d.links[space][int(index)] = name
			if name != loopbackName && !strings.Contains(known, mac) {
				d.macs[mac] = "MAC of " + space + " " + name
			}
		}
		if d.nsids[space], err = d.numbersIn(path); err != nil {
			return err
		}
	}
	return nil
}

// numbersIn are the numbers by which a namespace knows others.
func (d *dumper) numbersIn(path string) (map[int]string, error) {
	at, err := vns.GetFromPath(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	defer at.Close()
	h, err := netlink.NewHandleAt(at, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netlink in %s: %w", path, err)
	}
	defer h.Close()
	numbers := map[int]string{}
	for space, path := range d.spaces() {
		other, err := vns.GetFromPath(path)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", path, err)
		}
		n, err := h.GetNetNsIdByFd(int(other))
		other.Close()
		if err != nil {
			return nil, fmt.Errorf("number of %s: %w", path, err)
		}
		if n >= 0 {
			numbers[n] = space
		}
	}
	return numbers, nil
}

// show runs a command and reads the JSON documents that it answers with.
func (d *dumper) show(path string, command ...string) ([]any, error) {
	text, err := netns.Output(context.Background(), path, command...)
	if err != nil {
		return nil, err
	}
	var all []any
	for documents := json.NewDecoder(bytes.NewReader([]byte(text))); ; {
		documents.UseNumber()
		var v any
		switch err := documents.Decode(&v); {
		case err == io.EOF:
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("read what %q says: %w", command, err)
		}
		if list, ok := v.([]any); ok {
			all = append(all, list...)
		} else {
			all = append(all, v)
		}
	}
}

func (d *dumper) section(space, path string, s section) ([]string, error) {
	if !s.text {
		all, err := d.show(path, s.command...)
		return d.lines(space, s.name, all), err
	}
	text, err := netns.Output(context.Background(), path, s.command...)
	var lines []string
	for l := range strings.Lines(text) {
		lines = append(lines, d.names().Replace(strings.TrimSpace(l)))
	}
	return lines, err
}

// lines prints what a section has, without the incidental; a link and what it is
// called has a line for each property.
func (d *dumper) lines(space, section string, all []any) []string {
	var lines []string
	for _, v := range all {
		v = d.normal(space, section, "", v)
		if object, ok := v.(map[string]any); ok && object["ifname"] != nil {
			lines = append(lines, properties(fmt.Sprint(object["ifname"]), v)...)
		} else if v != nil {
			lines = append(lines, marshal(v))
		}
	}
	for i, l := range lines {
		lines[i] = macPattern.ReplaceAllStringFunc(d.names().Replace(l), func(mac string) string {
			if name, ok := d.macs[mac]; ok {
				return name
			}
			return mac
		})
	}
	slices.Sort(lines)
	return lines
}

var macPattern = regexp.MustCompile(`\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b`)

// normal is a value without what is exempt in it; nil if it all is.
func (d *dumper) normal(space, section, key string, v any) any {
	if d.exempt.property(section, key, v) {
		return nil
	}
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, e := range v {
			if e = d.normal(space, section, key, e); e != nil {
				out = append(out, e)
			}
		}
		return out
	case map[string]any:
		if d.exempt.entry(section, v) {
			return nil
		}
		d.resolve(space, v)
		out := map[string]any{}
		for key, e := range v {
			if e = d.normal(space, section, key, e); e != nil {
				out[key] = e
			}
		}
		return out
	}
	return v
}

// resolve replaces the numbers of another link and its namespace by names.
func (d *dumper) resolve(space string, v map[string]any) {
	other := space
	if n, ok := integer(v["link_netnsid"]); ok {
		other = d.nsids[space][n]
		v["link_netnsid"] = other
	}
	if n, ok := integer(v["link_index"]); ok {
		v["link_index"] = d.links[other][n]
	}
}

func integer(v any) (int, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return int(i), err == nil
}

// properties prints a line for each property of a value.
func properties(path string, v any) []string {
	var lines []string
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			lines = append(lines, properties(path+" "+key, e)...)
		}
	case []any:
		for _, e := range v {
			lines = append(lines, path+" has "+marshal(e))
		}
	default:
		lines = append(lines, path+" = "+marshal(v))
	}
	return lines
}

func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
