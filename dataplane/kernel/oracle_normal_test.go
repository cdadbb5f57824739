package kernel

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	vns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// dumper prints what tools say so that it is the same for all hosts that are. The
// number of a link or a namespace and a MAC that the kernel made up are replaced by the
// link's or the namespace's name, wherever they stand.
type dumper struct {
	*oracleHost
	exempt exemptions
	// links are names by number, nsids namespaces by number, both by namespace.
	links map[string]map[int]string
	nsids map[string]map[int]string
	macs  map[string]string
}

// spaces are the host's namespaces by the part they play.
func (h *oracleHost) spaces() map[string]string {
	return map[string]string{"host": h.ns, "domain": h.domain, "workload": h.workload}
}

func newDumper(h *oracleHost, exempt exemptions) (*dumper, error) {
	d := &dumper{
		oracleHost: h, exempt: exempt, links: map[string]map[int]string{},
		nsids: map[string]map[int]string{}, macs: map[string]string{},
	}
	chosen := strings.Join(h.explain(), "\n") + hostCommands
	for space := range h.spaces() {
		if err := d.meet(space, chosen); err != nil {
			return nil, fmt.Errorf("links of %s: %w", space, err)
		}
	}
	return d, nil
}

// meet reads the numbers and MACs that a namespace has given; those that are chosen are not.
func (d *dumper) meet(space, chosen string) error {
	at, err := vns.GetFromPath(d.spaces()[space])
	if err != nil {
		return err
	}
	defer at.Close()
	h, err := netlink.NewHandleAt(at, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	links, err := h.LinkList()
	if err != nil {
		return err
	}
	d.links[space], d.nsids[space] = map[int]string{}, map[int]string{}
	for _, l := range links {
		a := l.Attrs()
		d.links[space][a.Index] = a.Name
		if mac := a.HardwareAddr.String(); a.Name != loopbackName && !strings.Contains(chosen, mac) {
			d.macs[mac] = "MAC of " + space + " " + a.Name
		}
	}
	for other, path := range d.spaces() {
		ns, err := vns.GetFromPath(path)
		if err != nil {
			return err
		}
		id, err := h.GetNetNsIdByFd(int(ns))
		ns.Close()
		if err != nil {
			return err
		}
		if id >= 0 {
			d.nsids[space][id] = other
		}
	}
	return nil
}

func (d *dumper) linksIn(space string) []string { return slices.Sorted(maps.Values(d.links[space])) }

// lines prints a section: a link has a line for each property, everything else has one.
func (d *dumper) lines(space, section string, all []any) []string {
	var lines []string
	for _, v := range all {
		v, ok := d.normal(space, section, "", v)
		object, _ := v.(map[string]any)
		switch {
		case !ok:
		case section == "address": // ip shows the link once more
			lines = append(lines, properties(fmt.Sprint(object["ifname"]), object["addr_info"])...)
		case section == "link" || section == "port":
			lines = append(lines, properties(fmt.Sprint(object["ifname"]), object)...)
		default:
			lines = append(lines, asText(v))
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
	return lines
}

var macPattern = regexp.MustCompile(`\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b`)

// normal is a value without what is exempt in it; false if it all is.
func (d *dumper) normal(space, section, key string, v any) (any, bool) {
	if d.exempt.property(section, key, v) {
		return nil, false
	}
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, e := range v {
			if e, ok := d.normal(space, section, key, e); ok {
				out = append(out, e)
			}
		}
		return out, true
	case map[string]any:
		if d.exempt.entry(section, v) {
			return nil, false
		}
		d.resolve(space, v)
		out := map[string]any{}
		for key, e := range v {
			if e, ok := d.normal(space, section, key, e); ok {
				out[key] = e
			}
		}
		return out, true
	}
	return v, true
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
			lines = append(lines, path+" has "+asText(e))
		}
	default:
		lines = append(lines, path+" = "+asText(v))
	}
	return lines
}

func asText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
