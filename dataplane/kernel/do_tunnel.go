package kernel

import (
	"errors"

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
		var err error
		if device, err = h.underlay(l.Outer.Device); err != nil {
			return err
		}
	}
	k.attributes(data, l.Outer, have, device)
	return nil
}

// underlay is the number of a device of the host.
func (h *hand) underlay(name string) (int, error) {
	s, err := h.in(Host)
	if err != nil {
		return 0, err
	}
	return s.link(name)
}

// halfMade is the group (IFLA_GROUP) of a tunnel link on the host that is not what it is to
// be: a link can have one from the moment that it is made, and an alias only later. Whoever
// is killed between the two leaves a link that is known as Weft's.
const halfMade = 0x77656674

// move takes a link that was made on the host to where it belongs. Its underlay stays.
func (o addLink) move(h *hand, made LinkID) error {
	var files nsFiles
	defer files.Close()
	s, i, err := h.at(made)
	if err != nil {
		return err
	}
	fd, err := files.open(o.ID.NS)
	if err == nil {
		err = s.send(unix.RTM_NEWLINK, 0, linkMessage(unix.AF_UNSPEC, i),
			nl.NewRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(fd)), nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(o.ID.Name)),
			nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(0)))
	}
	delete(s.index, made.Name)
	if err != nil {
		return errors.Join(err, deleteLink{made}.do(h))
	}
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
