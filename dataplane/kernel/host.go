package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"weft/dataplane"
	"weft/dataplane/nft"
	"weft/internal/netns"
)

// applyHost makes the part of the host match that belongs to no single network.
// The networks' links come before it.
func (p *Plane) applyHost(ctx context.Context, h *hand, s dataplane.State) error {
	want, err := p.hostWant(h, s)
	if err != nil {
		return err
	}
	ops, err := p.hostOps(h, want)
	if err != nil {
		return err
	}
	for _, op := range ops {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("routes of the host: stopped: %w", err)
		}
		set, ok := op.(setSysctl)
		if !ok {
			err = op.do(h)
		} else {
			err = p.setHost(set)
		}
		if err != nil {
			return fmt.Errorf("routes of the host: %s: %w", op, err)
		}
	}
	if err := h.settle(ctx, ops); err != nil {
		return fmt.Errorf("routes of the host: %w", err)
	}
	restored, err := p.journal().restore(func(name string) bool {
		_, wanted := want.Sysctls[SysctlID{Host, name}]
		return wanted || isAcceptRA(name) && want.Sysctls[forwarding6] != ""
	})
	if slices.ContainsFunc(restored, isForwarding) {
		err = errors.Join(err, p.wanted.Load().forwardAgain(h))
	}
	return err
}

// hostOps is what applyHost has to do.
func (p *Plane) hostOps(h *hand, want Objects) ([]Op, error) {
	have, err := h.observeHost(want)
	if err != nil {
		return nil, err
	}
	if have.Filters[Host], _, err = h.readFilters(Host, want.Filters[Host]); err != nil {
		return nil, err
	}
	if rules, ok := want.Filters[Host]; ok {
		want.Filters[Host] = nft.Keep(rules, have.Filters[Host], p.isHeld)
	}
	for k, r := range want.Routes {
		// Whichever device the kernel found for the next hop is right.
		if there, ok := have.Routes[k]; ok && r.Device == "" && there.Via == r.Via {
			there.Device = ""
			have.Routes[k] = there
		}
	}
	return Diff(want, have), nil
}

// Whether the host is a router.
var (
	forwarding4 = SysctlID{Host, "net/ipv4/ip_forward"}
	forwarding6 = SysctlID{Host, "net/ipv6/conf/all/forwarding"}
)

// setHost writes a setting of the host. IPv6 forwarding makes a host deaf to
// router advertisements, and drops the routes it has from them, unless its links
// are told to listen all the same (accept_ra 2, ip-sysctl.rst): they are, first.
func (p *Plane) setHost(op setSysctl) error {
	if op.ID == forwarding6 {
		if err := p.keepListening(); err != nil {
			return err
		}
	}
	return p.journal().set(op.ID.Name, op.Value)
}

func (p *Plane) keepListening() error {
	var names []string
	if err := netns.Do(p.Host, func() (err error) {
		names, err = filepath.Glob("/proc/sys/net/ipv6/conf/*/accept_ra")
		return err
	}); err != nil {
		return err
	}
	for _, path := range names {
		name := strings.TrimPrefix(path, "/proc/sys/")
		value, err := p.journal().read(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // the link went meanwhile
		}
		if err != nil {
			return err
		}
		if value == "1" {
			if err := p.journal().set(name, "2"); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// isForwarding reports whether a setting is whether the host is a router.
func isForwarding(name string) bool { return name == forwarding4.Name || name == forwarding6.Name }

// forwardAgain sets what links of Weft's on the host need, as lowering.forwards says: who writes
// that the host is a router, or is none, writes the same of each link (net/ipv4/devinet.c,
// inet_forward_change, and net/ipv6/addrconf.c, addrconf_forward_change).
func (w *wanted) forwardAgain(h *hand) error {
	parts := []Objects{w.tunnels}
	for _, n := range w.networks {
		parts = append(parts, n.frame)
	}
	var errs []error
	for _, o := range parts {
		for id, value := range o.Sysctls {
			if id.NS == Host && id.isOfLink() {
				err := setSysctl{id, value}.do(h)
				errs = append(errs, ignore(err, fs.ErrNotExist)) // a link that could not be made
			}
		}
	}
	return errors.Join(errs...)
}

func isAcceptRA(name string) bool { return strings.HasSuffix(name, "/accept_ra") }

// observeHost reads what is Weft's in the host's namespace and of no network:
// routes by their protocol, the addresses of the wanted links, the wanted settings.
func (h *hand) observeHost(want Objects) (Objects, error) {
	o := NewObjects()
	s, err := h.in(Host)
	if err != nil {
		return o, err
	}
	names := map[int]string{}
	if err := s.links(func(l hostLink) { names[l.index] = l.name }); err != nil {
		return o, err
	}
	if err := s.routes(0, func(r hostRoute) {
		if r.proto == Protocol && r.table == unix.RT_TABLE_MAIN {
			o.Routes[RouteKey{Host, r.prefix, r.metric}] = Route{
				Unreachable: r.kind == unix.RTN_UNREACHABLE, Device: names[r.link], Via: r.via, OnLink: r.onlink, Protocol: r.proto,
			}
		}
	}); err != nil {
		return o, err
	}
	mine := map[string]bool{}
	for a := range want.Addresses {
		mine[a.Link.Name] = true
	}
	if err := s.addresses(func(a hostAddress) {
		if name := names[a.link]; mine[name] {
			o.Addresses[Address{LinkID{Host, name}, a.prefix}] = struct{}{}
		}
	}); err != nil {
		return o, err
	}
	for id := range want.Sysctls {
		value, err := journal{host: h.path(Host)}.read(id.Name)
		if err != nil {
			return o, err
		}
		o.Sysctls[id] = value
	}
	return o, nil
}
