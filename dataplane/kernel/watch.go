package kernel

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/internal/nlmsg"
	"weft/overlay"
)

// watch reads what the kernel announces in one namespace: the host's, or a
// network's.
type watch struct {
	// network is empty for the host's namespace.
	network overlay.NetworkName
	id      netns.Identity
	conn    *conn
	// rules tells of changes to nft rules.
	rules *conn
	// Of the goroutine that runs it: the links, what the bridge had learnt when the watch
	// was opened, the ears on segment ports, by link, and of the host the addresses of which
	// it has heard.
	table     linkTable
	before    []fdbEntry
	ears      map[int]*ear
	addresses map[hostAddress]struct{}
}

// Groups of notifications (linux/rtnetlink.h): in a domain everything is Weft's.
var (
	domainGroups = []int{
		unix.RTNLGRP_LINK, unix.RTNLGRP_TC, unix.RTNLGRP_NEIGH, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF,
	}
	hostGroups = []int{
		unix.RTNLGRP_LINK, unix.RTNLGRP_TC, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF,
	}
)

// openWatch subscribes first and then reads the links: nothing is missed between.
func openWatch(network overlay.NetworkName, ns NS, path string, groups []int) (*watch, error) {
	id, err := netns.ID(path)
	if err != nil {
		return nil, err
	}
	w := &watch{network: network, id: id, ears: map[int]*ear{}, addresses: map[hostAddress]struct{}{}}
	err = netns.Do(path, func() (err error) {
		if w.conn, err = dial(unix.NETLINK_ROUTE, groups...); err == nil {
			w.rules, err = dial(unix.NETLINK_NETFILTER, unix.NFNLGRP_NFTABLES)
		}
		return err
	})
	if err != nil {
		w.Close()
		return nil, err
	}
	s, err := openSpace(ns, path)
	if err != nil {
		w.Close()
		return nil, err
	}
	defer s.Close()
	if err := untilStill(func() error { return w.readBefore(s) }); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Close ends what runs the watch. Sockets to read from have nothing to lose.
func (w *watch) Close() {
	for _, c := range []*conn{w.conn, w.rules} {
		if c != nil {
			_ = c.Close()
		}
	}
}

// readBefore reads what is there when the watch begins.
func (w *watch) readBefore(s *space) (err error) {
	if w.table, err = readLinks(s); err != nil || w.network == "" {
		return err
	}
	w.before = nil
	return s.entries(unix.AF_BRIDGE, func(e fdbEntry) {
		if e.master != 0 && !e.made() {
			w.before = append(w.before, e)
		}
	})
}

// receive gives every message of a socket to notice, with the number of the namespace
// it is about, until the socket is closed. lost is called when there were more than the
// socket holds.
func (c *conn) receive(notice func(from int, h unix.NlMsghdr, message []byte), lost func()) {
	for {
		b, from, err := c.read()
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case err != nil:
			lost()
		}
		nlmsg.Messages(b, func(h unix.NlMsghdr, m []byte) { notice(from, h, m) })
	}
}

// watches are the open ones.
type watches struct {
	running sync.WaitGroup
	host    *watch
	domains map[overlay.NetworkName]*watch
	// post is nil if nothing can be heard of the workloads' namespaces.
	post *post
	// names is nil until there is a folder.
	names *names
}

// deafen closes all ears.
func (w *watch) deafen() {
	for _, e := range w.ears {
		_ = e.file.Close()
	}
}

// stop closes a network's watch, if there is one: it would keep the namespace
// alive.
func (ws *watches) stop(name overlay.NetworkName) {
	if w, ok := ws.domains[name]; ok {
		w.Close()
		delete(ws.domains, name)
	}
}

// close stops all and waits for them.
func (ws *watches) close() {
	if ws.post != nil {
		ws.post.Close()
	}
	for name := range ws.domains {
		ws.stop(name)
	}
	if ws.host != nil {
		ws.host.Close()
	}
	if ws.names != nil {
		_ = ws.names.file.Close()
	}
	ws.running.Wait()
}

// rename mounts the watched namespace at path, where its name was taken away.
func (w *watch) rename(path string) error {
	var err error
	if e := w.conn.raw.Control(func(fd uintptr) {
		var ns int
		if ns, err = unix.IoctlRetInt(int(fd), unix.SIOCGSKNS); err == nil {
			err = errors.Join(netns.Mount(fmt.Sprintf("/proc/self/fd/%d", ns), path), unix.Close(ns))
		}
	}); e != nil {
		return e
	}
	return err
}
