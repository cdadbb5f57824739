package kernel

import (
	"context"
	"fmt"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// settle waits until what ops made is in force: some of it the kernel finishes in
// the background, and drops packets meanwhile.
func (h *hand) settle(ctx context.Context, ops []Op) error {
	for _, op := range ops {
		var err error
		switch o := op.(type) {
		case setUp:
			if o.Up {
				err = h.await(ctx, o.ID.NS, "link "+o.ID.Name+" to come up", o.running)
			}
		case addAddress:
			if o.Prefix.Addr().Is6() {
				err = h.await(ctx, o.Link.NS, "address "+o.Prefix.String()+" to come up", o.local)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settleTime is more than the kernel takes.
const settleTime = 3 * time.Second

// await asks until the answer is yes.
func (h *hand) await(ctx context.Context, ns NS, what string, yes func(*space) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	s, err := h.in(ns)
	if err != nil {
		return err
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := yes(s); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		}
	}
}

// running: the link sends and receives, or cannot because its other end is down. The
// kernel notices a veth's carrier in the background (net/core/link_watch.c), at
// once or up to a second later. Since Linux 6.8 asking for the link makes it
// notice.
func (o setUp) running(s *space) (bool, error) {
	l, ok, err := s.named(o.ID.Name)
	return !ok || !l.carrier || l.running, err
}

// local: the address is one that the namespace answers for. The kernel makes an
// IPv6 address so in the background, even without duplicate address detection
// (net/ipv6/addrconf.c, addrconf_dad_work).
func (o addAddress) local(s *space) (bool, error) {
	i, err := s.link(o.Link.Name)
	if err != nil {
		return false, err
	}
	var kind uint8
	err = s.get(unix.RTM_GETROUTE, func(m []byte) { kind = parseRoute(m).kind },
		&nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET6, Dst_len: 128}},
		nl.NewRtAttr(unix.RTA_DST, o.Prefix.Addr().AsSlice()),
		nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(i))))
	if kind == unix.RTN_LOCAL || !isSpared(o.Address) {
		return kind == unix.RTN_LOCAL, ignore(err, unix.ENETUNREACH)
	}
	l, _, err := s.named(o.Link.Name)
	return l.link.NoIPv6, err
}
