package kernel

import (
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// answering are answerFilters in netlink.
func (o setAnswer) answering(from, by int) []netlink.Filter {
	filter := func(handle uint32, priority, protocol uint16, key netlink.TcU32Key) netlink.Filter {
		return &netlink.U32{
			FilterAttrs: netlink.FilterAttrs{
				LinkIndex: from, Parent: netlink.HANDLE_MIN_EGRESS, Handle: handle, Priority: priority, Protocol: protocol,
			},
			Sel: &netlink.TcU32Sel{Flags: netlink.TC_U32_TERMINAL, Nkeys: 1, Keys: []netlink.TcU32Key{key}},
			Actions: []netlink.Action{
				&netlink.PoliceAction{Mtu: uint32(o.Size), ExceedAction: netlink.TC_POLICE_PIPE, NotExceedAction: netlink.TC_POLICE_OK},
				handTo(by),
			},
		}
	}
	return []netlink.Filter{
		filter(0x80000001, 1, unix.ETH_P_IP, netlink.TcU32Key{Mask: 0x4000, Val: 0x4000, Off: 4}),
		filter(0x80100001, 2, unix.ETH_P_IPV6, netlink.TcU32Key{}),
	}
}

func (o setAnswer) do(h *hand) error {
	tc, from, by, err := h.diversion(o.From, o.By)
	if err != nil {
		return err
	}
	defer tc.Close()
	if err := (deleteRedirect{From: o.From}).do(h); err != nil { // what a filter matches cannot be changed
		return err
	}
	if err := tc.QdiscAdd(clsact(from)); err != nil {
		return err
	}
	for _, f := range o.answering(from, by) {
		if err := tc.FilterAdd(f); err != nil {
			return err
		}
	}
	return nil
}

// answers reads those that are wanted, and are as Weft sets them.
func (o *observer) answers() error {
	for id, want := range o.want.Answers {
		if !has(o.Links, id) {
			continue
		}
		filters, err := o.filters(id, netlink.HANDLE_MIN_EGRESS)
		if err != nil {
			return err
		}
		table := o.tables[id.NS]
		by := table.named(want.By).index
		set := setAnswer{id, want}.answering(table.named(id.Name).index, by)
		if by != 0 && slices.EqualFunc(filters, set, sameFilter) {
			o.Answers[id] = want
		}
	}
	return nil
}

// sameFilter compares what setAnswer sets.
func sameFilter(a, b netlink.Filter) bool {
	f, ok1 := a.(*netlink.U32)
	g, ok2 := b.(*netlink.U32)
	return ok1 && ok2 && f.Handle == g.Handle && f.Protocol == g.Protocol && f.Sel != nil && slices.Equal(f.Sel.Keys, g.Sel.Keys) &&
		slices.EqualFunc(f.Actions, g.Actions, sameAction)
}

func sameAction(a, b netlink.Action) bool {
	switch a := a.(type) {
	case *netlink.PoliceAction:
		b, ok := b.(*netlink.PoliceAction)
		return ok && a.Mtu == b.Mtu && a.ExceedAction == b.ExceedAction && a.NotExceedAction == b.NotExceedAction && a.Rate == b.Rate
	case *netlink.MirredAction:
		b, ok := b.(*netlink.MirredAction)
		return ok && a.MirredAction == b.MirredAction && a.Ifindex == b.Ifindex
	}
	return false
}
