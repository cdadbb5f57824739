package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"

	"weft/api"
	"weft/dataplane/kernel"
	"weft/internal/netns"
	"weft/overlay"
)

// precheck looks at the host before anything is written or made: whether what
// is to be attached is there, and whether the names are free. It returns the
// identity of a namespace. Networks' own namespaces are named in netnsDir.
func precheck(at overlay.Attach, netnsDir string) (identity string, err error) {
	switch at.Type {
	case overlay.AttachNetns:
		return checkNamespace(at, netnsDir)
	case overlay.AttachTap, overlay.AttachVeth:
		return "", checkFree(at)
	case overlay.AttachBridge:
		return "", checkBridge(at.Target)
	}
	return "", api.Invalid("want netns, tap, veth or bridge", "attach type %q is unknown", at.Type)
}

func checkNamespace(at overlay.Attach, netnsDir string) (string, error) {
	id, err := netns.ID(at.Target)
	if err != nil {
		return "", api.Invalid("ip netns list shows the named ones", "namespace %s: %v", at.Target, err)
	}
	if err := checkForeign(at.Target, id, netnsDir); err != nil {
		return "", err
	}
	err = netns.Do(at.Target, func() error {
		link, err := netlink.LinkByName(at.Interface)
		if err != nil {
			if notFound := (netlink.LinkNotFoundError{}); errors.As(err, &notFound) {
				return nil
			}
			return fmt.Errorf("look into namespace %s: %w", at.Target, err)
		}
		return api.Taken("choose another name with --ifname", "namespace %s has an interface %s already (%s)",
			at.Target, at.Interface, link.Type())
	})
	return id.String(), err
}

// checkForeign refuses namespaces, by whatever name, that are no workload's: the
// host's own, whose stack a port with a default route would take over, and
// networks' domains, which have one already and are removed with their network.
func checkForeign(target string, id netns.Identity, netnsDir string) error {
	host, err := netns.ID("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("look at this host's namespace: %w", err)
	}
	if id == host {
		return api.Invalid("attach a container's namespace, or a --veth, which stays on the host",
			"namespace %s is this host's own, not a workload's", target)
	}
	names, err := netns.List(netnsDir)
	if err != nil {
		return fmt.Errorf("look for networks' namespaces: %w", err)
	}
	for _, name := range names {
		path := filepath.Join(netnsDir, name)
		network := strings.TrimPrefix(path, string(kernel.DomainNS(netnsDir, "")))
		if network == path {
			continue
		}
		switch domain, err := netns.ID(path); {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, netns.ErrNotNamespace): // gone meanwhile
		case err != nil:
			return fmt.Errorf("look at network %s's namespace: %w", network, err)
		case domain == id:
			return api.Invalid("attach a container's namespace", "namespace %s is network %s's own, which Weft makes and removes", target, network)
		}
	}
	return nil
}

func checkFree(at overlay.Attach) error {
	link, err := netlink.LinkByName(at.Target)
	if err != nil {
		if notFound := (netlink.LinkNotFoundError{}); errors.As(err, &notFound) {
			return nil
		}
		return fmt.Errorf("look for interface %s: %w", at.Target, err)
	}
	return api.Taken("choose another name, or remove that one: Weft makes the "+string(at.Type)+" itself",
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
