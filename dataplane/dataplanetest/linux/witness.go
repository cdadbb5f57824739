package linux

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// Changes implements dataplanetest.Witness: what the kernel announces in the host's
// namespace and in those of the networks.
func (h *Harness) Changes(f func() error) (changes []string, err error) {
	spaces, err := h.spaces()
	if err != nil {
		return nil, err
	}
	var ears []*ear
	defer func() {
		for _, e := range ears {
			err = errors.Join(err, e.Close())
		}
	}()
	for _, ns := range spaces {
		for protocol, groups := range announced {
			e, err := listen(ns, protocol, groups)
			if err != nil {
				return nil, fmt.Errorf("listen in %s: %w", ns, err)
			}
			ears = append(ears, e)
		}
	}
	if err := f(); err != nil {
		return nil, err
	}
	for _, e := range ears {
		heard, err := e.heard()
		if err != nil {
			return nil, err
		}
		changes = append(changes, heard...)
	}
	return changes, nil
}

// spaces are the namespaces that the plane changes.
func (h *Harness) spaces() ([]string, error) {
	names, err := netns.List(h.netnsDir)
	spaces := []string{h.host}
	for _, name := range names {
		spaces = append(spaces, h.netnsDir+"/"+name)
	}
	return spaces, err
}

// announced are the multicast groups on which the kernel tells of changes.
var announced = map[int][]int{
	unix.NETLINK_ROUTE: {
		unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH, unix.RTNLGRP_TC, unix.RTNLGRP_IPV4_IFADDR,
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV6_ROUTE,
	},
	unix.NETLINK_NETFILTER: {unix.NFNLGRP_NFTABLES},
}

// ear hears what is announced in one namespace.
type ear struct {
	fd       int
	ns       string
	protocol int
}

func listen(ns string, protocol int, groups []int) (*ear, error) {
	e := &ear{ns: ns, protocol: protocol}
	err := netns.Do(ns, func() (err error) {
		e.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
		return os.NewSyscallError("socket", err)
	})
	if err != nil {
		return nil, err
	}
	errs := []error{os.NewSyscallError("bind", unix.Bind(e.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))}
	for _, g := range groups {
		err := unix.SetsockoptInt(e.fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g)
		errs = append(errs, os.NewSyscallError("setsockopt NETLINK_ADD_MEMBERSHIP", err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *ear) Close() error { return os.NewSyscallError("close", unix.Close(e.fd)) }

// heard describes what was announced: the kernel does it before it answers who made
// the change, so there is nothing to wait for.
func (e *ear) heard() (changes []string, err error) {
	b := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(e.fd, b, 0)
		if errors.Is(err, unix.EAGAIN) {
			return changes, nil
		}
		if err != nil {
			return changes, os.NewSyscallError("read announcements", err)
		}
		messages, err := syscall.ParseNetlinkMessage(b[:n])
		if err != nil {
			return changes, os.NewSyscallError("parse announcements", err)
		}
		for _, m := range messages {
			if e.protocol == unix.NETLINK_ROUTE && isTraffic(m) {
				continue
			}
			changes = append(changes, fmt.Sprintf("%s: netlink protocol %d message %d", e.ns, e.protocol, m.Header.Type))
		}
	}
}

// isTraffic reports whether a message is of a neighbour that the kernel looks for by itself, which
// goes on when a test has ended: nobody made it.
func isTraffic(m syscall.NetlinkMessage) bool {
	const family, state = 0, 8 // struct ndmsg (linux/neighbour.h)
	neighbour := m.Header.Type == unix.RTM_NEWNEIGH || m.Header.Type == unix.RTM_DELNEIGH
	return neighbour && len(m.Data) >= unix.SizeofNdMsg && m.Data[family] != unix.AF_BRIDGE &&
		binary.NativeEndian.Uint16(m.Data[state:])&unix.NUD_PERMANENT == 0
}
