package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"
)

// reason is why an op failed, in the user's words, which stand for the kernel's.
type reason struct {
	words string
	err   error
}

func (r *reason) Error() string { return r.words }

// Unwrap returns the cause, which the words say better.
func (r *reason) Unwrap() error { return r.err }

// inWords says in the user's words why an op failed, where the kernel's are not
// enough. The error stays what it is.
func inWords(h *hand, op Op, err error) error {
	words := ""
	switch o := op.(type) {
	case addLink:
		words = o.inWords(h, err)
	case setUp:
		if errors.Is(err, unix.EADDRINUSE) && o.Link.Kind.hasSocket() {
			words = o.Link.portTaken(h, o.ID)
		}
	case addAddress:
		if errors.Is(err, noIPv6) && o.Prefix.Addr().Is6() && o.Link.NS.isWorkload() {
			words = fmt.Sprintf("namespace %s has IPv6 switched off: switch it on (%s), or give the endpoint IPv4 addresses alone",
				o.Link.NS.reference(), o.Link.NS.enter("sysctl", "-w", "net.ipv6.conf.all.disable_ipv6=0"))
		}
	case addRoute:
		if errors.Is(err, unix.EEXIST) && o.NS == Host {
			words = o.taken(h)
		}
	case changeTunnel:
		if errors.Is(err, unix.EEXIST) || errors.Is(err, unix.EBUSY) {
			words = o.Want.taken(h, o.ID)
		}
	case setCarried:
		if errors.Is(err, unix.EADDRINUSE) {
			words = o.portTaken(h)
		}
	case setLink:
		if errors.Is(err, fs.ErrNotExist) && o.Want.Master != o.Have.Master && o.ID.NS == Host {
			words = fmt.Sprintf("there is no bridge %s on this host", o.Want.Master)
		}
	}
	if words == "" {
		return err
	}
	return &reason{words, err}
}

func (o addLink) inWords(h *hand, err error) string {
	exists := errors.Is(err, unix.EEXIST)
	switch {
	case o.Link.isTunTap() && (errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EINVAL) || exists):
		return fmt.Sprintf("this host has a device %s already: remove it, or choose another name", o.ID.Name)
	case (o.Link.Kind.isTunnel() || o.Link.Peer.isTunnelEnd()) && exists && h.isThere(o.ID):
		return nameTaken(o.ID.Name)
	case o.Link.Kind.isTunnel() && (exists || errors.Is(err, unix.EBUSY)):
		return o.Link.taken(h, o.ID)
	case o.Link.Kind.isTunnel() && errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Sprintf("this kernel has no %s devices", o.Link.Kind)
	case o.Link.Kind.isTunnel() && errors.Is(err, fs.ErrNotExist) && o.Link.Outer.Device != "":
		return fmt.Sprintf("this host has no underlay device %s", o.Link.Outer.Device)
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
