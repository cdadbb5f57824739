package kernel

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"weft/overlay"
)

// isTaken reports whether a network could not be made because of something that there can be
// once. If that was another network's, or a tunnel's, which is to have something else now, it may be
// free when those have been made.
func isTaken(err error) bool {
	for _, e := range []error{unix.EEXIST, unix.EBUSY, unix.EADDRINUSE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// makeRoom takes away those links on the host that other networks have, and do not want any more,
// where this network is to have some of the same names: of two that exchange their VNIs each has
// what the other one needs, and neither gives anything up before it has the new.
func (p *Plane) makeRoom(h *hand, name overlay.NetworkName) error {
	all := p.wanted.Load().networks
	if all[name] == nil {
		return nil
	}
	s, err := h.in(Host)
	if err != nil {
		return err
	}
	var errs []error
	for id := range all[name].frame.Links {
		if id.NS != Host {
			continue
		}
		l, there, err := s.named(id.Name)
		if err != nil {
			return err
		}
		tag, ours := strings.CutPrefix(l.link.Alias, aliasPrefix)
		other, _, _ := strings.Cut(tag, "/")
		if n := all[overlay.NetworkName(other)]; there && ours && other != string(name) && n != nil && !has(n.frame.Links, id) {
			errs = append(errs, deleteLink{id}.do(h))
		}
	}
	return errors.Join(errs...)
}
