package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/overlay"
)

// TunnelModes are the modes of tunnels that this kernel has links for, as TunnelMode.Over
// writes them. Each is tried, in a namespace that goes again.
func TunnelModes(ctx context.Context) (modes []string, err error) {
	restore, err := keepFallbacksOut()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, restore()) }()
	err = netns.DoAlone(func() error {
		c, err := dial(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		h := newHand("")
		h.spaces[Host] = &space{conn: c, ns: Host, index: map[string]int{}}
		defer h.Close()
		for i, m := range overlay.TunnelModes() {
			for j, f := range []overlay.Family{overlay.V4, overlay.V6} {
				ok, err := h.canMake(m, f, byte(2*i+j+2))
				if err = errors.Join(err, ctx.Err()); err != nil {
					return err
				}
				if ok {
					modes = append(modes, m.Over(f))
				}
			}
		}
		return nil
	})
	return modes, err
}

// canMake tries to make a tunnel link to a peer of that number. It goes with the namespace.
func (h *hand) canMake(m overlay.TunnelMode, f overlay.Family, peer byte) (bool, error) {
	t := dataplane.Tunnel{Local: netip.MustParseAddr("192.0.2.1"), Remote: netip.AddrFrom4([4]byte{192, 0, 2, peer})} // RFC 5737
	if f == overlay.V6 {
		t.Local, t.Remote = netip.MustParseAddr("2001:db8::1"), netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: peer}) // RFC 3849
	}
	t.Spec = overlay.TunnelSpec{Mode: m}.Complete("probe")
	if m.HasVNI() {
		t.Spec.VNI = overlay.VNI(peer)
	}
	link := tunnelLink(t)
	if link.Kind == "" {
		return false, nil
	}
	id := LinkID{Host, m.Over(f)}
	switch err := (addLink{ID: id, Link: link}).do(h); {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EAFNOSUPPORT):
		return false, nil // no such kind of link, no IPv6
	default:
		return false, fmt.Errorf("try a tunnel of mode %s: %w", m.Over(f), err)
	}
}

// fallbacks is the setting that says which namespaces get a tunl0, gre0, sit0 and so on when
// their module is loaded (Documentation/admin-guide/sysctl/net.rst): 2 is none. Only the
// first namespace has it.
const fallbacks = "/proc/sys/net/core/fb_tunnels_only_for_init_net"

// keepFallbacksOut keeps a try from leaving such devices on the host, where they could not be
// deleted any more.
func keepFallbacksOut() (restore func() error, err error) {
	before, err := os.ReadFile(fallbacks)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return func() error { return nil }, nil
	case err == nil:
		err = os.WriteFile(fallbacks, []byte("2"), 0)
	}
	if err != nil {
		return nil, fmt.Errorf("keep fallback devices out: %w", err)
	}
	return func() error { return os.WriteFile(fallbacks, before, 0) }, nil
}
