package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/overlay"
)

// post is a listening post: it hears what happens in the workloads' namespaces and
// keeps none of them alive, as a socket inside would. The kernel gives a socket that
// asks for it the notifications of every namespace that the socket's own has a number
// for (net/netlink/af_netlink.c, do_one_broadcast), and a number holds nothing: it goes
// with the namespace. The post stands in a namespace of its own, which nothing else is
// in and which goes with the post: so it hears those that it was told of, never
// the host, and no number is left behind.
type post struct {
	conn *conn
	ask  *space

	mu sync.Mutex
	// workloads are the namespaces that are listened to, by number.
	workloads map[int]*workload
	numbers   map[netns.Identity]int
}

// workload is a namespace that is listened to.
type workload struct {
	id    netns.Identity
	links map[int]hostLink
	// sites are the networks that have ports in it.
	sites map[site]struct{}
}

// site is a workload's namespace by the name that a network has for it.
type site struct {
	network overlay.NetworkName
	ns      NS
}

// postGroups are the notifications about what Weft makes in a workload's namespace.
var postGroups = []int{
	unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
}

func openPost() (*post, error) {
	p := &post{ask: &space{index: map[string]int{}}}
	p.forget()
	err := netns.DoAlone(func() (err error) {
		if p.ask.conn, err = dial(unix.NETLINK_ROUTE); err == nil {
			p.conn, err = dial(unix.NETLINK_ROUTE, postGroups...)
		}
		return err
	})
	if err == nil {
		err = p.conn.hearAll()
	}
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("listen to namespaces: %w", err)
	}
	return p, nil
}

// hearAll makes the socket hear the namespaces that its own has a number for.
func (c *conn) hearAll() error {
	var err error
	if e := c.raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, unix.NETLINK_LISTEN_ALL_NSID, 1)
	}); e != nil {
		return e
	}
	if errors.Is(err, unix.EPERM) {
		err = fmt.Errorf("needs CAP_NET_BROADCAST: %w", err)
	}
	return err
}

// Close ends what runs the post.
func (p *post) Close() {
	for _, c := range []*conn{p.conn, p.ask.conn} {
		if c != nil {
			_ = c.Close() // a netlink socket has nothing to lose
		}
	}
}

// forget makes every namespace be looked at again when it is next attended to.
func (p *post) forget() {
	p.workloads, p.numbers = map[int]*workload{}, map[netns.Identity]int{}
}

// attend makes what happens in a network's workloads' namespaces be noticed. One that
// has gone is nothing to listen to.
func (p *post) attend(h *hand, network overlay.NetworkName, spaces map[NS]struct{}) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for ns := range spaces {
		if err := p.add(h, site{network, ns}); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, netns.ErrNotNamespace) {
			return fmt.Errorf("listen to namespace %s: %w", ns, err)
		}
	}
	return nil
}

// leave makes no namespace be listened to for a network but these.
func (p *post) leave(network overlay.NetworkName, but map[NS]struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for number, w := range p.workloads {
		for s := range w.sites {
			if _, stays := but[s.ns]; s.network == network && !stays {
				delete(w.sites, s)
			}
		}
		if len(w.sites) == 0 {
			delete(p.workloads, number)
			delete(p.numbers, w.id)
		}
	}
}

// add numbers a namespace first and then reads its links: nothing is missed between.
func (p *post) add(h *hand, s site) error {
	path := h.path(s.ns)
	id, err := netns.ID(path)
	if err != nil {
		return err
	}
	if number, known := p.numbers[id]; known {
		p.workloads[number].sites[s] = struct{}{}
		return nil
	}
	number, err := p.number(path)
	if err != nil {
		return err
	}
	inside, err := h.in(s.ns)
	if err != nil {
		return err
	}
	var table linkTable
	if err := untilStill(func() (err error) { table, err = readLinks(inside); return err }); err != nil {
		return err
	}
	if before := p.workloads[number]; before != nil {
		delete(p.numbers, before.id) // it is gone, and its number free again
	}
	p.workloads[number] = &workload{id, table.links, map[site]struct{}{s: {}}}
	p.numbers[id] = number
	return nil
}

// number gives a namespace a number, unless it has one.
func (p *post) number(path string) (int, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	const anyNumber = 1<<32 - 1 // -1
	err = p.ask.send(unix.RTM_NEWNSID, 0, &nl.RtGenMsg{},
		nl.NewRtAttr(netlink.NETNSA_FD, nl.Uint32Attr(uint32(file.Fd()))),
		nl.NewRtAttr(netlink.NETNSA_NSID, nl.Uint32Attr(anyNumber)))
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return 0, fmt.Errorf("number namespace: %w", err)
	}
	return p.ask.numberOf(path)
}
