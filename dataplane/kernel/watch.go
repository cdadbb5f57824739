package kernel

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/overlay"
)

// watch reads what the kernel announces in one namespace: the host's, or a
// network's.
type watch struct {
	// network is empty for the host's namespace.
	network overlay.NetworkName
	id      netns.Identity
	conn    *conn
	table   linkTable
}

// Groups of notifications (linux/rtnetlink.h): in a domain everything is Weft's.
var (
	domainGroups = []int{
		unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
	}
	hostGroups = []int{unix.RTNLGRP_LINK, unix.RTNLGRP_TC}
)

// openWatch subscribes first and then reads the links: nothing is missed between.
func openWatch(network overlay.NetworkName, ns NS, path string, groups []int) (*watch, error) {
	id, err := netns.ID(path)
	if err != nil {
		return nil, err
	}
	w := &watch{network: network, id: id}
	err = netns.Do(path, func() (err error) {
		w.conn, err = dial(unix.NETLINK_ROUTE, groups...)
		return err
	})
	if err != nil {
		return nil, err
	}
	s, err := openSpace(ns, path)
	if err != nil {
		return nil, errors.Join(err, w.conn.Close())
	}
	defer s.Close()
	for tries := 0; ; tries++ {
		w.table, err = readLinks(s)
		if !errors.Is(err, errInterrupted) || tries == maxTries {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, w.conn.Close())
	}
	return w, nil
}

// run gives every message to notice, until the watch is closed. lost is called when
// there were more than the socket holds.
func (w *watch) run(notice func(*watch, unix.NlMsghdr, []byte), lost func(*watch)) {
	for {
		b, err := w.conn.read()
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case err != nil:
			lost(w)
		}
		messages(b, func(h unix.NlMsghdr, m []byte) { notice(w, h, m) })
	}
}

// watches are the open ones.
type watches struct {
	running sync.WaitGroup
	host    *watch
	domains map[overlay.NetworkName]*watch
	// names is nil until there is a folder.
	names *names
}

// start runs a watch.
func (ws *watches) start(w *watch, notice func(*watch, unix.NlMsghdr, []byte), lost func(*watch)) {
	ws.running.Go(func() { w.run(notice, lost) })
}

// stop closes a network's watch, if there is one: it would keep the namespace
// alive.
func (ws *watches) stop(name overlay.NetworkName) {
	if w, ok := ws.domains[name]; ok {
		_ = w.conn.Close() // a netlink socket has nothing to lose
		delete(ws.domains, name)
	}
}

// close stops all and waits for them.
func (ws *watches) close() {
	for name := range ws.domains {
		ws.stop(name)
	}
	if ws.host != nil {
		_ = ws.host.conn.Close()
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
