package ipam_test

import (
	"errors"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"weft/ipam"
	"weft/overlay"
)

func pool(subnet, within, gateway string) ipam.Pool {
	return ipam.Pool{Subnet: netip.MustParsePrefix(subnet), Range: netip.MustParsePrefix(within), Gateway: netip.MustParseAddr(gateway)}
}

func set(addresses ...string) ipam.Addresses {
	s := ipam.Addresses{}
	for _, a := range addresses {
		s[netip.MustParseAddr(a)] = struct{}{}
	}
	return s
}

func TestNextAddress(t *testing.T) {
	t.Parallel()
	blue := pool("10.7.0.0/29", "10.7.0.0/29", "10.7.0.1")
	block := pool("10.8.0.0/16", "10.8.1.0/24", "10.8.0.1")
	six := pool("fd00::/64", "fd00::/64", "fd00::1")
	for _, tt := range []struct {
		name  string
		pool  ipam.Pool
		taken ipam.Addresses
		after string
		want  string
	}{
		{"first skips network and gateway", blue, set(), "", "10.7.0.2"},
		{"behind the last given", blue, set("10.7.0.2"), "10.7.0.4", "10.7.0.5"},
		{"freed address waits", blue, set("10.7.0.2"), "10.7.0.3", "10.7.0.4"},
		{"skips what is taken", blue, set("10.7.0.3", "10.7.0.4"), "10.7.0.2", "10.7.0.5"},
		{"goes round before broadcast", blue, set(), "10.7.0.6", "10.7.0.2"},
		{"cursor on the broadcast address", blue, set(), "10.7.0.7", "10.7.0.2"},
		{"foreign cursor begins at the first", blue, set(), "192.0.2.9", "10.7.0.2"},
		{"the only one left is behind", blue, set("10.7.0.3", "10.7.0.4", "10.7.0.5", "10.7.0.6"), "10.7.0.4", "10.7.0.2"},
		{"block leaves its first out", block, set(), "", "10.8.1.1"},
		{"block leaves its last out", block, set(), "10.8.1.254", "10.8.1.1"},
		{"block of the gateway", pool("10.8.0.0/16", "10.8.0.0/30", "10.8.0.1"), set(), "", "10.8.0.2"},
		{"v6 skips the anycast address", six, set(), "", "fd00::2"},
		{"v6 has no broadcast address", six, set(), "fd00::ffff:ffff:ffff:fffe", "fd00::ffff:ffff:ffff:ffff"},
		{"v6 goes round", six, set("fd00::2"), "fd00::ffff:ffff:ffff:ffff", "fd00::3"},
		{"a gateway in the middle", pool("10.7.0.0/29", "10.7.0.0/29", "10.7.0.3"), set(), "10.7.0.2", "10.7.0.4"},
		{"strangers do not count", blue, set("192.0.2.1", "192.0.2.2"), "", "10.7.0.2"},
		{"the end of the address space", pool("ffff:ffff::/32", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124", "ffff:ffff::1"),
			set(), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			after := netip.Addr{}
			if tt.after != "" {
				after = netip.MustParseAddr(tt.after)
			}
			got, err := tt.pool.NextAddress(tt.taken, after)
			if err != nil || got.String() != tt.want {
				t.Errorf("NextAddress = %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

// counting counts how often it is asked.
type counting struct {
	ipam.Addresses
	asked int
}

func (c *counting) Has(a netip.Addr) bool { c.asked++; return c.Addresses.Has(a) }

func TestNextAddressDoesNotScanLargeSubnets(t *testing.T) {
	t.Parallel()
	p := pool("2001:db8::/32", "2001:db8::/32", "2001:db8::1")
	taken := &counting{Addresses: ipam.Addresses{}}
	a := netip.MustParseAddr("2001:db8::1")
	for range 1000 {
		a = a.Next()
		taken.Addresses[a] = struct{}{}
	}
	got, err := p.NextAddress(taken, netip.Addr{})
	if err != nil || got != a.Next() {
		t.Errorf("NextAddress = %s, %v; want %s", got, err, a.Next())
	}
	if taken.asked > 1001 {
		t.Errorf("looked at %d addresses with 1000 taken", taken.asked)
	}
}

func TestExhausted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pool ipam.Pool
		want string
	}{
		{
			pool("10.7.0.0/30", "10.7.0.0/30", "10.7.0.1"),
			"no free address in subnet 10.7.0.0/30: 1 of 1 are taken; detach endpoints that are no longer needed, or make a network with a larger subnet",
		},
		{
			pool("10.8.0.0/16", "10.8.1.0/29", "10.8.0.1"),
			"no free address in block 10.8.1.0/29 of this node: 6 of 6 are taken; detach endpoints of this node that are no longer needed, or make a network with larger blocks",
		},
	} {
		taken := ipam.Addresses{}
		for a := tt.pool.Range.Addr(); tt.pool.Range.Contains(a); a = a.Next() {
			taken[a] = struct{}{}
		}
		_, err := tt.pool.NextAddress(taken, netip.Addr{})
		var exhausted *ipam.ExhaustedError
		if !errors.As(err, &exhausted) || err.Error() != tt.want {
			t.Errorf("error = %v\n want %s", err, tt.want)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	blue := pool("10.7.0.0/24", "10.7.0.0/24", "10.7.0.1")
	block := pool("10.8.0.0/16", "10.8.1.0/24", "10.8.0.1")
	six := pool("fd00::/64", "fd00::/64", "fd00::1")
	for _, tt := range []struct {
		pool    ipam.Pool
		address string
		want    string
	}{
		{blue, "10.7.0.2", ""},
		{blue, "10.7.0.254", ""},
		{six, "fd00::ffff:ffff:ffff:ffff", ""},
		{blue, "10.7.1.2", "address 10.7.1.2 is not in the network's subnet 10.7.0.0/24; ask for one in it, or for none to have one chosen"},
		{blue, "fd00::2", "address fd00::2 is not in the network's subnet 10.7.0.0/24; ask for one in it, or for none to have one chosen"},
		{block, "10.8.2.2", "address 10.8.2.2 is not in the node's block 10.8.1.0/24 of subnet 10.8.0.0/16; ask for one in it, or for none to have one chosen"},
		{blue, "10.7.0.1", "address 10.7.0.1 is the gateway of the network; ask for another one in 10.7.0.0/24, or for none to have one chosen"},
		{blue, "10.7.0.0", "address 10.7.0.0 is reserved: it is the first or last of 10.7.0.0/24; ask for one in between"},
		{blue, "10.7.0.255", "address 10.7.0.255 is reserved: it is the first or last of 10.7.0.0/24; ask for one in between"},
		{block, "10.8.1.255", "address 10.8.1.255 is reserved: it is the first or last of 10.8.1.0/24; ask for one in between"},
		{six, "fd00::", "address fd00:: is reserved: it is the first or last of fd00::/64; ask for one in between"},
	} {
		got := ""
		if err := tt.pool.Check(netip.MustParseAddr(tt.address)); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("Check(%s) = %q\nwant %q", tt.address, got, tt.want)
		}
	}
}

func TestPoolOf(t *testing.T) {
	t.Parallel()
	spec := overlay.NetworkSpec{Kind: overlay.Routed, Subnets: []netip.Prefix{
		netip.MustParsePrefix("10.8.0.0/16"), netip.MustParsePrefix("fd08::/48"),
	}}.Complete()
	for within, want := range map[string]ipam.Pool{
		"10.8.3.0/24":     pool("10.8.0.0/16", "10.8.3.0/24", "10.8.0.1"),
		"fd08:0:0:3::/64": pool("fd08::/48", "fd08:0:0:3::/64", "fd08::1"),
	} {
		if got := ipam.PoolOf(spec, netip.MustParsePrefix(within)); got != want {
			t.Errorf("PoolOf(%s) = %+v, want %+v", within, got, want)
		}
	}
}

// anyPool draws a small pool, so that it can be filled.
func anyPool(t *rapid.T) ipam.Pool {
	base, longest := "10.9.0.0/22", 30
	if rapid.Bool().Draw(t, "v6") {
		base, longest = "fd09::/118", 126
	}
	subnet := netip.MustParsePrefix(base)
	p := ipam.Pool{Subnet: subnet, Range: subnet}
	nth := func(q netip.Prefix, n int) netip.Addr {
		a := q.Addr()
		for range n {
			a = a.Next()
		}
		return a
	}
	if rapid.Bool().Draw(t, "block") {
		bits := rapid.IntRange(subnet.Bits()+2, longest).Draw(t, "bits")
		p.Range = netip.PrefixFrom(nth(subnet, rapid.IntRange(0, 1023).Draw(t, "where")), bits).Masked()
	}
	p.Gateway = nth(subnet, rapid.IntRange(1, 1022).Draw(t, "gateway"))
	return p
}

// TestPoolFills draws a pool and takes all that it gives: never twice the same,
// never one that Check refuses, and exactly as many as Check allows.
func TestPoolFills(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := anyPool(t)
		allowed := 0
		for a := p.Range.Addr(); p.Range.Contains(a); a = a.Next() {
			if p.Check(a) == nil {
				allowed++
			}
		}
		taken, after := ipam.Addresses{}, netip.Addr{}
		for {
			a, err := p.NextAddress(taken, after)
			var exhausted *ipam.ExhaustedError
			if errors.As(err, &exhausted) {
				if len(taken) != allowed || exhausted.Taken != uint64(allowed) {
					t.Fatalf("exhausted with %d taken (the error says %d), want %d", len(taken), exhausted.Taken, allowed)
				}
				return
			}
			if err != nil || p.Check(a) != nil || taken.Has(a) {
				t.Fatalf("NextAddress = %s, %v; check %v, taken %v", a, err, p.Check(a), taken.Has(a))
			}
			taken[a], after = struct{}{}, a
			if rapid.IntRange(0, 3).Draw(t, "jump") == 0 {
				after = rapid.SampledFrom([]netip.Addr{{}, p.Subnet.Addr(), p.Range.Addr(), p.Gateway, overlay.LastAddr(p.Range)}).Draw(t, "after")
			}
		}
	})
}

// TestLastFreeAddressIsFound frees one address of a full pool, wherever it is.
func TestLastFreeAddressIsFound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := anyPool(t)
		taken := ipam.Addresses{}
		var usable []netip.Addr
		for a := p.Range.Addr(); p.Range.Contains(a); a = a.Next() {
			taken[a] = struct{}{}
			if p.Check(a) == nil {
				usable = append(usable, a)
			}
		}
		free := rapid.SampledFrom(usable).Draw(t, "free")
		delete(taken, free)
		got, err := p.NextAddress(taken, rapid.SampledFrom(usable).Draw(t, "after"))
		if err != nil || got != free {
			t.Fatalf("NextAddress = %s, %v; want %s", got, err, free)
		}
	})
}
