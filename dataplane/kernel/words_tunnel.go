package kernel

import "fmt"

// isThere reports whether there is a link of this name.
func (h *hand) isThere(id LinkID) bool {
	s, err := h.in(id.NS)
	if err != nil {
		return false
	}
	_, there, err := s.named(id.Name)
	return there && err == nil
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
	other := ""
	_ = s.routes(0, func(r hostRoute) { // what was read of a host that changes will do
		if k, route, ok := t.route(r); ok && k == o.RouteKey {
			other = k.command("delete", route)
		}
	})
	if other == "" {
		return ""
	}
	return fmt.Sprintf("this host has a route to %s already: remove it (%s), or give one of them another metric", o.Prefix, other)
}
