package agent

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"

	"weft/api"
	"weft/internal/netns"
	"weft/overlay"
)

// precheck looks at the host before anything is written or made: whether what
// is to be attached is there, and whether the names are free. It returns the
// identity of a namespace.
func precheck(at overlay.Attach) (identity string, err error) {
	switch at.Type {
	case overlay.AttachNetns:
		return checkNamespace(at)
	case overlay.AttachTap, overlay.AttachVeth:
		return "", checkFree(at)
	case overlay.AttachBridge:
		return "", checkBridge(at.Target)
	}
	return "", api.Invalid("want netns, tap, veth or bridge", "attach type %q is unknown", at.Type)
}

func checkNamespace(at overlay.Attach) (string, error) {
	id, err := netns.ID(at.Target)
	if err != nil {
		return "", api.Invalid("ip netns list shows the named ones", "namespace %s: %v", at.Target, err)
	}
	err = netns.Do(at.Target, func() error {
		link, err := netlink.LinkByName(at.Interface)
		if err != nil {
			if notFound := (netlink.LinkNotFoundError{}); errors.As(err, &notFound) {
				return nil
			}
			return fmt.Errorf("look into namespace %s: %w", at.Target, err)
		}
		return api.Invalid("choose another name with --ifname", "namespace %s has an interface %s already (%s)",
			at.Target, at.Interface, link.Type())
	})
	return id.String(), err
}

func checkFree(at overlay.Attach) error {
	link, err := netlink.LinkByName(at.Target)
	if err != nil {
		if notFound := (netlink.LinkNotFoundError{}); errors.As(err, &notFound) {
			return nil
		}
		return fmt.Errorf("look for interface %s: %w", at.Target, err)
	}
	return api.Invalid("choose another name, or remove that one: Weft makes the "+string(at.Type)+" itself",
		"this host has an interface %s already (%s)", at.Target, link.Type())
}

func checkBridge(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return api.Invalid("ip link show type bridge lists those it has", "this host has no bridge %s", name)
	}
	if link.Type() != "bridge" {
		return api.Invalid("attach a bridge, or a namespace, tap or veth", "%s is no bridge but a %s", name, link.Type())
	}
	return nil
}
