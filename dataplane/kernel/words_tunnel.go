package kernel

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// isThere reports whether there is a link of this name.
func (h *hand) isThere(id LinkID) bool {
	s, err := h.in(id.NS)
	if err != nil {
		return false
	}
	_, there, err := s.named(id.Name)
	return there && err == nil
}

// nameTaken says that a tunnel's device would have the name of somebody else's.
func nameTaken(device string) string {
	return fmt.Sprintf("this host has an interface %s already, which is not Weft's: remove it, or choose another name", device)
}

// taken says which route has the place of a tunnel's.
func (o addRoute) taken(h *hand) string {
	s, err := h.in(Host)
	if err != nil {
		return ""
	}
	t, err := readLinks(s)
	if err != nil {
		return ""
	}
	words := ""
	_ = s.routes(0, func(r hostRoute) { // what was read of a host that changes will do
		if r.table == unix.RT_TABLE_MAIN && o.RouteKey == (RouteKey{Host, r.prefix, r.metric}) {
			words = t.routeTaken(r)
		}
	})
	return words
}

// routeTaken says that a route has the place of a tunnel's. The kernel's own go with an address,
// or with what a router says: they are not for the user to remove.
func (t linkTable) routeTaken(r hostRoute) string {
	taken := fmt.Sprintf("this host has a route to %s already", r.prefix)
	if k, route, ok := t.route(r); ok {
		return fmt.Sprintf("%s: remove it (%s), or give one of them another metric", taken, k.command("delete", route))
	}
	if device := t.id(r.link).Name; device != "" {
		taken += fmt.Sprintf(", which the kernel keeps for %s", device)
	}
	return taken + ": leave the tunnel's out, or give it another metric"
}
