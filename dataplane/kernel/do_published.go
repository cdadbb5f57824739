package kernel

import (
	"context"
	"errors"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// do waits until the port forwards, which it begins to when the kernel notices its
// carrier: until then the bridge takes no entry that ages (net/bridge/br_fdb.c,
// fdb_add_entry). Asking for the link makes the kernel notice, as in running.
func (o addPublished) do(h *hand) error {
	port := LinkID{o.Bridge.NS, o.Port}
	_, i, err := h.at(port)
	if err != nil {
		return err
	}
	return h.await(context.Background(), port.NS, "port "+o.Port+" to forward", func(s *space) (bool, error) {
		err := s.send(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_EXCL,
			entry(unix.AF_BRIDGE, i, netlink.NUD_REACHABLE, netlink.NTF_MASTER), linkAddress(o.MAC))
		if !errors.Is(err, unix.EPERM) {
			return true, ignore(err, unix.EEXIST)
		}
		_, _, err = s.named(o.Port)
		return false, err
	})
}
