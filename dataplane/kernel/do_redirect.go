package kernel

import (
	"errors"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// traffic opens traffic control in a namespace.
func (h *hand) traffic(ns NS) (*netlink.Handle, error) {
	var handle *netlink.Handle
	err := netns.Do(h.path(ns), func() (err error) {
		handle, err = netlink.NewHandle(unix.NETLINK_ROUTE)
		return err
	})
	return handle, err
}

// diversion opens traffic control for what one link hands to another of its namespace, and says
// which these are.
func (h *hand) diversion(from LinkID, to string) (tc *netlink.Handle, fromIndex, toIndex int, err error) {
	s, fromIndex, err := h.at(from)
	if err == nil {
		toIndex, err = s.link(to)
	}
	if err == nil {
		tc, err = h.traffic(from.NS)
	}
	return tc, fromIndex, toIndex, err
}

// handTo is the action that hands a packet to a link, as if it was sent there.
func handTo(link int) *netlink.MirredAction {
	return &netlink.MirredAction{
		ActionAttrs:  netlink.ActionAttrs{Action: netlink.TC_ACT_STOLEN},
		MirredAction: netlink.TCA_EGRESS_REDIR, Ifindex: link,
	}
}

func (o addRedirect) do(h *hand) error {
	tc, from, to, err := h.diversion(o.From, o.To)
	if err != nil {
		return err
	}
	defer tc.Close()
	if err := tc.QdiscReplace(clsact(from)); err != nil {
		return err
	}
	return tc.FilterReplace(&netlink.U32{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: from, Parent: netlink.HANDLE_MIN_INGRESS,
			Handle: filterHandle, Priority: 1, Protocol: unix.ETH_P_ALL,
		},
		Actions: []netlink.Action{handTo(to)},
	})
}

// filterHandle is redirectHandle in netlink.
const filterHandle = 0x80000001

func clsact(link int) *netlink.Clsact {
	return &netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{
		LinkIndex: link, Parent: netlink.HANDLE_CLSACT, Handle: netlink.MakeHandle(0xffff, 0),
	}}
}

func (o deleteRedirect) do(h *hand) error {
	_, from, err := h.at(o.From)
	if err != nil {
		return gone(err)
	}
	tc, err := h.traffic(o.From.NS)
	if err != nil {
		return err
	}
	defer tc.Close()
	err = tc.QdiscDel(clsact(from))
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) {
		return nil // there is no such qdisc
	}
	return err
}
