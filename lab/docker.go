package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// LikeDocker gives the host the firewall that Docker and many administrators give
// theirs: forwarding is refused by policy, frames on bridges pass through it too
// (br_netfilter), and a masquerade rule without a match takes everything that leaves.
// Both families. Overlay traffic must not mind; a bridge on the host does. The
// error wraps [fs.ErrNotExist] where the kernel has not loaded br_netfilter, and all is
// done but that: it is not loaded here, because it would change how the machine's own
// bridges work.
func (h *Host) LikeDocker(ctx context.Context) error {
	if err := h.likeDocker(ctx); err != nil {
		return fmt.Errorf("set host %s up like Docker: %w", h.Name(), err)
	}
	return nil
}

func (h *Host) likeDocker(ctx context.Context) error {
	for _, iptables := range []string{"iptables", "ip6tables"} {
		for _, rule := range [][]string{
			{"-P", "FORWARD", "DROP"},
			{"-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE"},
		} {
			argv := append([]string{iptables, "-w"}, rule...)
			if _, err := h.Run(ctx, argv...); err != nil {
				return err
			}
		}
	}
	for _, iptables := range []string{"iptables", "ip6tables"} {
		err := h.Sysctl("net.bridge.bridge-nf-call-"+iptables, "1")
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w (modprobe br_netfilter brings it)", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
