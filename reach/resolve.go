package reach

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"weft/overlay"
)

// lookEvery is the time between two look-ups of a name, and lookFor how long one may take: who changes its
// address is followed within 3 s. The answers' own times to live are the resolver's affair.
const (
	lookEvery = 1500 * time.Millisecond
	lookFor   = time.Second
)

// Resolver looks names up; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// look is the address of a peer's name: that which it had, if the name still stands for
// it, else the lowest.
func look(ctx context.Context, r Resolver, p Peer, had netip.Addr) (netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	network := map[overlay.Family]string{overlay.V4: "ip4", overlay.V6: "ip6"}[p.Family]
	if network == "" {
		network = "ip"
	}
	found, err := r.LookupNetIP(ctx, network, p.Name)
	if err != nil {
		var dns *net.DNSError
		var family *net.AddrError // that net has filtered out what is of the other
		switch {
		case errors.As(err, &dns) && dns.IsNotFound, errors.As(err, &family):
			err = p.nowhere()
		case errors.Is(err, context.DeadlineExceeded), errors.As(err, &dns) && dns.IsTimeout:
			err = fmt.Errorf("no answer from DNS for %s", p.Name)
		default:
			err = fmt.Errorf("look up %s: %w", p.Name, err)
		}
		return netip.Addr{}, err
	}
	var usable []netip.Addr
	why := p.nowhere()
	for _, a := range found {
		if err := p.unusable(a.Unmap()); err != nil {
			why = err
		} else {
			usable = append(usable, a.Unmap())
		}
	}
	switch {
	case len(usable) == 0:
		return netip.Addr{}, why
	case slices.Contains(usable, had):
		return had, nil
	}
	return slices.MinFunc(usable, netip.Addr.Compare), nil
}

// nowhere says that a name has no address that could be looked for.
func (p Peer) nowhere() error {
	switch p.Family {
	case overlay.V4:
		return fmt.Errorf("%s has no IPv4 address in DNS", p.Name)
	case overlay.V6:
		return fmt.Errorf("%s has no IPv6 address in DNS", p.Name)
	}
	return fmt.Errorf("%s has no address in DNS", p.Name)
}

// unusable says why an address of a peer's name cannot be the peer's; nil: it may be.
func (p Peer) unusable(a netip.Addr) error {
	switch {
	case a.IsLoopback() || a.IsUnspecified() || a.IsMulticast():
		return fmt.Errorf("%s stands for %s, which is no address of a peer", p.Name, a)
	case p.Family != "" && overlay.FamilyOf(a) != p.Family:
		return p.nowhere()
	case slices.Contains(p.Own, a):
		return fmt.Errorf("%s stands for %s, which is this node's own address", p.Name, a)
	}
	return nil
}
