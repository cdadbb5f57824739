package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"
)

// inWords says in the user's words why an op failed, where the kernel's are not
// enough. The error stays what it is.
func inWords(h *hand, op Op, err error) error {
	switch o := op.(type) {
	case addLink:
		if reason := o.inWords(h, err); reason != "" {
			return fmt.Errorf("%s: %w", reason, err)
		}
	case setUp:
		if errors.Is(err, unix.EADDRINUSE) && o.ID.Name == tunnelName {
			return fmt.Errorf("the tunnel's UDP port is in use on this host: stop what uses it, or give the network another port: %w", err)
		}
	case setLink:
		if errors.Is(err, fs.ErrNotExist) && o.Want.Master != o.Have.Master && o.ID.NS == Host {
			return fmt.Errorf("there is no bridge %s on this host: %w", o.Want.Master, err)
		}
	}
	return err
}

func (o addLink) inWords(h *hand, err error) string {
	exists := errors.Is(err, unix.EEXIST)
	switch {
	case o.Link.Kind == KindTap && (errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EINVAL) || exists):
		return fmt.Sprintf("this host has a device %s already: remove it, or choose another name", o.ID.Name)
	case o.Link.Kind == KindVXLAN && exists:
		return fmt.Sprintf("another vxlan device on this host has VNI %s on port %d", o.Link.VXLAN.VNI, o.Link.VXLAN.Port)
	case o.Link.Kind == KindVeth && exists:
		far := o.Link.Peer
		if s, e := h.in(far.NS); e == nil {
			if _, taken, e := s.named(far.Name); e == nil && taken {
				where := "this host"
				if far.NS != Host {
					where = "namespace " + path.Base(string(far.NS))
				}
				return fmt.Sprintf("%s has an interface %s already: remove it, or choose another name", where, far.Name)
			}
		}
	}
	return ""
}
