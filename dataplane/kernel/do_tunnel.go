package kernel

import (
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// outerAttributes adds what a tunnel link's packets look like, as far as it differs from
// have, if there is any. The link's device is in the underlay's namespace.
func (h *hand) outerAttributes(data *nl.RtAttr, l Link, have *Outer) error {
	k, ok := tunnelKinds[l.Kind]
	if !ok {
		return nil
	}
	device := 0
	if l.Outer.Device != "" {
		s, err := h.in(Host)
		if err != nil {
			return err
		}
		if device, err = s.link(l.Outer.Device); err != nil {
			return err
		}
	}
	k.attributes(data, l.Outer, have, device)
	return nil
}

func (o changeTunnel) do(h *hand) error {
	s, i, err := h.at(o.ID)
	if err != nil {
		return err
	}
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated(string(o.Want.Kind)))
	if err := h.outerAttributes(info.AddRtAttr(nl.IFLA_INFO_DATA, nil), o.Want, &o.Have.Outer); err != nil {
		return err
	}
	message := []nl.NetlinkRequestData{linkMessage(unix.AF_UNSPEC, i)}
	if o.setsMTU() {
		message = append(message, nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(o.Want.MTU))))
	}
	return s.send(unix.RTM_NEWLINK, 0, append(message, info)...)
}
