package kernel

import (
	"golang.org/x/sys/unix"

	"weft/internal/nlmsg"
	"weft/overlay"
)

// Of settings the kernel announces few (linux/netconf.h), among them whether a link forwards.
const (
	sizeofNetconf     = 4 // struct netconfmsg: the family, padded
	netconfIndex      = 1 // NETCONFA_IFINDEX
	netconfForwarding = 2 // NETCONFA_FORWARDING
	netconfAll        = -1
)

// forwarding is the setting that a notification is about, and its value; false if it is about
// another. It was written, or the one for all links was, which writes each link's.
func (t linkTable) forwarding(m []byte) (id SysctlID, value string, ok bool) {
	if len(m) < sizeofNetconf {
		return id, "", false
	}
	index := 0
	nlmsg.Attributes(m[sizeofNetconf:], func(kind uint16, v []byte) {
		switch kind {
		case netconfIndex:
			index = int(int32(number(v)))
		case netconfForwarding:
			ok, value = true, "0"
			if number(v) != 0 {
				value = "1"
			}
		}
	})
	f := overlay.V4
	if m[0] == unix.AF_INET6 {
		f = overlay.V6
	}
	switch link := t.id(index); {
	case index == netconfAll && f == overlay.V4:
		id = SysctlID{t.ns, forwarding4.Name}
	case index == netconfAll:
		id = SysctlID{t.ns, forwarding6.Name}
	default:
		id = forwardingOf(link, f)
		ok = ok && link.Name != ""
	}
	return id, value, ok
}

// noticeForwarding looks at the settings of the host that Weft needs: for itself, for the
// tunnels that stand alone, and for networks.
func (p *Plane) noticeForwarding(w *watch, m []byte) {
	id, value, ok := w.table.forwarding(m)
	if !ok {
		return
	}
	judge := func(of overlay.NetworkName, o Objects) {
		switch want, wanted := o.Sysctls[id]; {
		case !wanted:
		case want == value:
			p.suspicions.drop(of, id)
		default:
			p.suspicions.raise(of, id)
		}
	}
	all := p.wanted.Load()
	judge(ofHost, all.host)
	judge(ofHost, all.tunnels)
	for name, n := range all.networks {
		judge(name, n.frame)
	}
}
