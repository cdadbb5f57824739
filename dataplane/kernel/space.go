package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// space is an open network namespace: a netlink socket in it. It keeps the
// namespace alive, so it is closed at the end of what it was opened for.
type space struct {
	ns     NS
	socket *nl.NetlinkSocket
	handle map[int]*nl.SocketHandle
	// index remembers link indexes by name.
	index map[string]int
}

// receiveBuffer holds the answers of the largest dump between two reads, in bytes.
const receiveBuffer = 1 << 20

// openSpace opens the namespace ns, which is mounted at path.
func openSpace(ns NS, path string) (*space, error) {
	var socket *nl.NetlinkSocket
	err := netns.Do(path, func() (err error) {
		socket, err = nl.Subscribe(unix.NETLINK_ROUTE)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := prepare(socket); err != nil {
		socket.Close()
		return nil, err
	}
	return &space{
		ns: ns, socket: socket, index: map[string]int{},
		handle: map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: socket}},
	}, nil
}

// prepare asks for the kernel's own words in errors, for filtered dumps, and for room.
func prepare(socket *nl.NetlinkSocket) error {
	fd := socket.GetFd()
	return errors.Join(
		socket.SetExtAck(true),
		os.NewSyscallError("set strict checking", unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)),
		os.NewSyscallError("set receive buffer", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer)),
	)
}

func (s *space) Close() { s.socket.Close() }

// send makes a change and waits for the kernel's answer.
func (s *space) send(message, flags int, data ...nl.NetlinkRequestData) error {
	return s.request(message, flags|unix.NLM_F_ACK, data...).ExecuteIter(unix.NETLINK_ROUTE, 0, func([]byte) bool { return true })
}

// dump calls f with each of the kernel's answers; f may not keep them. A dump that a
// change interrupted may lack entries: it is told by an error.
func (s *space) dump(message int, f func([]byte), data ...nl.NetlinkRequestData) error {
	return s.request(message, unix.NLM_F_DUMP, data...).ExecuteIter(unix.NETLINK_ROUTE, 0, func(m []byte) bool {
		f(m)
		return true
	})
}

func (s *space) request(message, flags int, data ...nl.NetlinkRequestData) *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(message, flags)
	r.Sockets = s.handle
	r.Data = data
	return r
}

// link is the index of a link.
func (s *space) link(name string) (int, error) {
	if i, ok := s.index[name]; ok {
		return i, nil
	}
	var index int
	err := s.request(unix.RTM_GETLINK, 0, nl.NewIfInfomsg(unix.AF_UNSPEC), nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name))).
		ExecuteIter(unix.NETLINK_ROUTE, 0, func(m []byte) bool {
			index = int(nl.DeserializeIfInfomsg(m).Index)
			return true
		})
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
}

func newHand(host string) *hand { return &hand{host: host, spaces: map[NS]*space{}} }

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
		s.Close()
		delete(h.spaces, ns)
	}
}

func (h *hand) Close() {
	for ns := range h.spaces {
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
