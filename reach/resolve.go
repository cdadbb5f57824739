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
		switch {
		case errors.As(err, &dns) && dns.IsNotFound:
			err = fmt.Errorf("%s has no address in DNS", p.Name)
		case errors.Is(err, context.DeadlineExceeded), errors.As(err, &dns) && dns.IsTimeout:
			err = fmt.Errorf("no answer from DNS for %s", p.Name)
		default:
			err = fmt.Errorf("look up %s: %w", p.Name, err)
		}
		return netip.Addr{}, err
	}
	for i, a := range found {
		found[i] = a.Unmap()
	}
	found = slices.DeleteFunc(found, func(a netip.Addr) bool { return a.IsLoopback() || a.IsUnspecified() || a.IsMulticast() })
	switch {
	case len(found) == 0:
		return netip.Addr{}, fmt.Errorf("%s stands for no address of a peer", p.Name)
	case slices.Contains(found, had):
		return had, nil
	}
	return slices.MinFunc(found, netip.Addr.Compare), nil
}
