package kernel

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"weft/dataplane/nft"
	"weft/internal/netns"
)

// space is an open network namespace. It keeps the namespace alive, so it is
// closed at the end of what it was opened for.
type space struct {
	*conn
	ns NS
	// index remembers link indexes by name.
	index map[string]int
}

// openSpace opens the namespace ns, which is mounted at path.
func openSpace(ns NS, path string) (*space, error) {
	s := &space{ns: ns, index: map[string]int{}}
	err := netns.Do(path, func() (err error) {
		s.conn, err = dial(unix.NETLINK_ROUTE)
		return err
	})
	return s, err
}

// send makes a change and waits for the kernel's answer.
func (s *space) send(message, flags int, data ...nl.NetlinkRequestData) error {
	return s.request(message, flags|unix.NLM_F_ACK, func(uint16, []byte) {}, data...)
}

// get calls f with the answer to a question.
func (s *space) get(message int, f func([]byte), data ...nl.NetlinkRequestData) error {
	return s.request(message, 0, func(_ uint16, m []byte) { f(m) }, data...)
}

// dump calls f with each of the kernel's answers.
func (s *space) dump(message int, f func([]byte), data ...nl.NetlinkRequestData) error {
	return s.request(message, unix.NLM_F_DUMP, func(_ uint16, m []byte) { f(m) }, data...)
}

// link is the index of a link.
func (s *space) link(name string) (int, error) {
	if i, ok := s.index[name]; ok {
		return i, nil
	}
	var index int
	err := s.get(unix.RTM_GETLINK, func(m []byte) { index = int(nl.DeserializeIfInfomsg(m).Index) },
		nl.NewIfInfomsg(unix.AF_UNSPEC), nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	if errors.Is(err, unix.ENODEV) {
		return 0, fmt.Errorf("there is no link %s: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		return 0, fmt.Errorf("find link %s: %w", name, err)
	}
	s.index[name] = index
	return index, nil
}

// hand does ops: it opens each namespace once and keeps it open until Close.
type hand struct {
	// host is the path of the host's namespace.
	host   string
	spaces map[NS]*space
	rules  map[NS]*nft.Conn
	// forward is what a forward op does; nil: nothing can.
	forward func() error
	// forwardTunnel is what a forwardTunnel op does; nil: nothing can.
	forwardTunnel func(*hand, LinkID) error
	// pass is what was read of the programs; nil: nothing, or something has changed it.
	pass ProgramPass
	// carrier is the user plane's forwarder; nil: there is none. carried is what was read of
	// it; nil: nothing, or something has changed it.
	carrier Carrier
	carried map[LinkID]Carried
}

func newHand(host string) *hand {
	return &hand{host: host, spaces: map[NS]*space{}, rules: map[NS]*nft.Conn{}}
}

// in opens a namespace, or returns it if it is open.
func (h *hand) in(ns NS) (*space, error) {
	if s, ok := h.spaces[ns]; ok {
		return s, nil
	}
	s, err := openSpace(ns, h.path(ns))
	if err != nil {
		return nil, err
	}
	h.spaces[ns] = s
	return s, nil
}

func (h *hand) path(ns NS) string {
	if ns == Host {
		return h.host
	}
	return string(ns)
}

// forget closes a namespace that is to go.
func (h *hand) forget(ns NS) {
	if s, ok := h.spaces[ns]; ok {
		_ = s.Close() // a netlink socket has nothing to lose
		delete(h.spaces, ns)
	}
	if c, ok := h.rules[ns]; ok {
		_ = c.Close()
		delete(h.rules, ns)
	}
}

// Close closes what is open.
func (h *hand) Close() {
	for ns := range h.spaces {
		h.forget(ns)
	}
	for ns := range h.rules {
		h.forget(ns)
	}
}

// at finds a link.
func (h *hand) at(id LinkID) (*space, int, error) {
	s, err := h.in(id.NS)
	if err != nil {
		return nil, 0, err
	}
	i, err := s.link(id.Name)
	return s, i, err
}
