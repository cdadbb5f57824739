package kernel

import (
	"path"
	"slices"
	"strings"
)

// exemption names something that need not be the same on two hosts that forward the
// same: a property in a section, or a whole entry. Patterns are those of path.Match.
type exemption struct {
	section string
	// key of the property, and what it says (""; anything). In a list, the elements
	// that say so are exempt.
	key, value string
	// entry tells the entries that are exempt; nil: see key.
	entry func(map[string]any) bool
	why   string
}

// incidental is all that may differ for ever.
var incidental = []exemption{
	{section: "*", key: "ifindex", why: "links are numbered as they come; what refers to one is compared by its name"},
	{section: "link", key: "permaddr", why: "an IPv6 tunnel's is made up (net/ipv6/ip6_tunnel.c, ip6_tnl_dev_init_gen)"},
	{section: "*", key: "*_timer", why: "the time until the bridge does something next"},
	{section: "neigh", entry: lacks("state", "PERMANENT"), why: "found out by asking, when there is something to send"},
	{section: "fdb", entry: both(lacks("state", "permanent", "static"), lacks("mac", silentMAC.String())),
		why: "learnt from frames that happened to pass"},
	{section: "route", entry: both(says("type", "multicast"), says("flags", "linkdown")),
		why: "a tap that nobody has open has one if it came up before the kernel noticed"},
}

// background is what the kernel does after it has said that a change is made. Who
// waits need not exempt it.
var background = []exemption{
	{section: "*", key: "operstate", why: "follows the carrier (net/core/link_watch.c)"},
	{section: "*", key: "flags", value: "LOWER_UP", why: "the carrier"},
	{section: "*", key: "flags", value: "NO-CARRIER", why: "no carrier"},
	{section: "route", key: "flags", value: "linkdown", why: "no carrier"},
	{section: "*", key: "state", value: "disabled", why: "a bridge's port without carrier"},
	{section: "*", key: "state", value: "forwarding", why: "a bridge's port with carrier"},
	{section: "fdb", entry: multicast, why: "groups that links listen to; they follow addresses"},
	{section: "address", key: "tentative", why: "IPv6 addresses come up later (net/ipv6/addrconf.c, addrconf_dad_work)"},
	{section: "route", entry: says("protocol", "kernel"), why: "the kernel's own routes follow addresses, IPv6 ones later"},
}

// lacks are the entries that say none of this about themselves.
func lacks(key string, values ...string) func(map[string]any) bool {
	has := says(key, values...)
	return func(v map[string]any) bool { return !has(v) }
}

func multicast(v map[string]any) bool {
	mac, ok := v["mac"].(string)
	return ok && (strings.HasPrefix(mac, "33:33:") || strings.HasPrefix(mac, "01:00:5e:"))
}

func both(a, b func(map[string]any) bool) func(map[string]any) bool {
	return func(v map[string]any) bool { return a(v) && b(v) }
}

func says(key string, values ...string) func(map[string]any) bool {
	return func(v map[string]any) bool {
		list, ok := v[key].([]any)
		if !ok {
			list = []any{v[key]}
		}
		return slices.ContainsFunc(list, func(e any) bool {
			s, ok := e.(string)
			return ok && slices.Contains(values, s)
		})
	}
}

// exemptions is what is exempt from a comparison.
type exemptions []exemption

func (l exemptions) entry(section string, v map[string]any) bool {
	return slices.ContainsFunc(l, func(e exemption) bool {
		return e.entry != nil && match(e.section, section) && e.entry(v)
	})
}

func (l exemptions) property(section, key string, v any) bool {
	return slices.ContainsFunc(l, func(e exemption) bool {
		s, _ := v.(string)
		return e.entry == nil && match(e.section, section) && match(e.key, key) && (e.value == "" || e.value == s)
	})
}

func match(pattern, s string) bool {
	ok, err := path.Match(pattern, s)
	return ok && err == nil
}
