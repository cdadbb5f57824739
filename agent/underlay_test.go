package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"weft/api/agentapi"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// host makes a namespace with an underlay NIC.
func host(t *testing.T, commands ...string) string {
	t.Helper()
	testenv.NeedRoot(t)
	ns := testenv.Namespace(t)
	for _, c := range append([]string{
		"ip link add eth0 type veth peer name far", "ip link set far up", "ip link set eth0 up mtu 1400",
	}, commands...) {
		testenv.Run(t, ns, strings.Fields(c)...)
	}
	return ns
}

func find(t *testing.T, ns string, wanted ...string) (u Underlay, err error) {
	t.Helper()
	if outer := netns.Do(ns, func() error { u, err = FindUnderlay(wanted); return nil }); outer != nil {
		t.Fatal(outer)
	}
	return u, err
}

func TestFindUnderlayByDefaultRoute(t *testing.T) {
	t.Parallel()
	ns := host(t,
		"ip addr add 192.0.2.11/24 dev eth0", "ip addr add 192.0.2.99/24 dev eth0",
		"ip -6 addr add 2001:db8:1::11/64 dev eth0 nodad",
		"ip route add default via 192.0.2.1", "ip -6 route add default via 2001:db8:1::1")
	u, err := find(t, ns)
	if err != nil {
		t.Fatal(err)
	}
	want := Underlay{MTU: 1400, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.11/24"), netip.MustParsePrefix("2001:db8:1::11/64")}}
	if !u.Equal(want) {
		t.Errorf("%+v, want %+v", u, want)
	}
}

func TestFindUnderlayByName(t *testing.T) {
	t.Parallel()
	ns := host(t, "ip addr add 192.0.2.11/24 dev eth0", "ip addr add 198.51.100.7/25 dev eth0")
	if u, err := find(t, ns, "198.51.100.7", "192.0.2.11"); err == nil || !strings.Contains(err.Error(), "at most one underlay address of each family") {
		t.Errorf("two of one family: %+v, %v", u, err)
	}
	u, err := find(t, ns, "198.51.100.7")
	if err != nil || len(u.Addresses) != 1 || u.Addresses[0] != netip.MustParsePrefix("198.51.100.7/25") {
		t.Errorf("%+v, %v", u, err)
	}
	for wanted, says := range map[string]string{
		"192.0.2.12": "--underlay 192.0.2.12: no interface of this host has that address; it has 192.0.2.11, 198.51.100.7",
		"eth0":       `--underlay "eth0": want an address of this host such as 192.0.2.11`,
		"":           `--underlay "": want an address of this host such as 192.0.2.11`,
	} {
		if _, err := find(t, ns, wanted); err == nil || err.Error() != says {
			t.Errorf("%q: %v, want %s", wanted, err, says)
		}
	}
	if _, err := find(t, ns); err == nil || !strings.Contains(err.Error(), "no default route") {
		t.Errorf("without a default route: %v", err)
	}
}

// TestFindUnderlayByFile: what a file says is named as it says it, and Weft's own addresses are not offered.
func TestFindUnderlayByFile(t *testing.T) {
	t.Parallel()
	ns := host(t, "ip addr add 192.0.2.11/24 dev eth0", "ip link add site type veth peer name inside", "ip link set site alias weft:/site", "ip addr add 10.1.1.1/24 dev site")
	site := &overlay.Tunnel{Meta: overlay.Meta{Name: "site"}}
	wrong := &overlay.Tunnel{Meta: overlay.Meta{Name: "site"}, Spec: overlay.TunnelSpec{Local: netip.MustParseAddr("192.0.2.99")}}
	const has = ": no interface of this host has that address; it has 192.0.2.11"
	const none = "this host has no default route to tell its underlay address by; say "
	for _, tt := range []struct {
		d    agentapi.Declaration
		says string
	}{
		{agentapi.Declaration{Tunnels: []*overlay.Tunnel{wrong}}, "tunnel site: local 192.0.2.99" + has},
		{agentapi.Declaration{Node: "a", Underlay: []netip.Addr{netip.MustParseAddr("192.0.2.98")}}, "node a: underlay 192.0.2.98" + has},
		{agentapi.Declaration{Tunnels: []*overlay.Tunnel{site}}, none + "spec.local of tunnel site, or spec.underlay of a Node in the file"},
		{agentapi.Declaration{}, none + "spec.underlay of a Node in the file"},
	} {
		var err error
		if outer := netns.Do(ns, func() error { _, err = Options{Local: true}.nearEnds(tt.d).find(); return nil }); outer != nil {
			t.Fatal(outer)
		}
		if err == nil || err.Error() != tt.says {
			t.Errorf("%v, want %s", err, tt.says)
		}
	}
}

// TestWatchUnderlay: a new address is told, and losing the last one is not.
func TestWatchUnderlay(t *testing.T) {
	t.Parallel()
	ns := host(t, "ip addr add 192.0.2.11/24 dev eth0", "ip route add default via 192.0.2.1")
	now, err := find(t, ns)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen, ended := make(chan Underlay, 8), make(chan error, 1)
	go func() {
		ended <- netns.Do(ns, func() error {
			watchUnderlay(ctx, func() nearEnds { return nearEnds{} }, now, func(u Underlay) { seen <- u }, slog.New(slog.DiscardHandler))
			return nil
		})
	}()
	next := netip.MustParsePrefix("192.0.2.77/24")
	testenv.Eventually(t, 5*time.Second, func() error {
		testenv.Run(t, ns, "ip", "addr", "flush", "dev", "eth0")
		testenv.Run(t, ns, "ip", "addr", "add", next.String(), "dev", "eth0")
		testenv.Run(t, ns, "ip", "route", "replace", "default", "via", "192.0.2.1")
		select {
		case u := <-seen:
			if u.Addresses[0] != next {
				t.Errorf("told %v, want %v", u.Addresses, next)
			}
			return nil
		case <-time.After(100 * time.Millisecond):
			return context.DeadlineExceeded
		}
	}, "the new address to be told")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// lines is a log that counts its messages.
type lines struct {
	slog.Handler
	mu    sync.Mutex
	count map[string]int
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count[r.Message]++
	return nil
}

func (l *lines) of(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for message, times := range l.count {
		if strings.Contains(message, text) {
			n += times
		}
	}
	return n
}

// TestWatchUnderlayLost: that the address is gone is said once, and that it is back.
func TestWatchUnderlayLost(t *testing.T) {
	t.Parallel()
	ns := host(t, "ip addr add 192.0.2.11/24 dev eth0")
	now, err := find(t, ns, "192.0.2.11")
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{Handler: slog.DiscardHandler, count: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- netns.Do(ns, func() error {
			watchUnderlay(ctx, func() nearEnds { return byFlags([]string{"192.0.2.11"}) }, now, func(u Underlay) { t.Errorf("told %v", u) }, slog.New(log))
			return nil
		})
	}()
	said := func(text string) {
		testenv.Eventually(t, 5*time.Second, func() error {
			if n := log.of(text); n != 1 {
				return fmt.Errorf("%q was said %d times, want once", text, n)
			}
			return nil
		}, text)
	}
	testenv.Run(t, ns, "ip", "addr", "flush", "dev", "eth0")
	said("underlay is gone")
	testenv.Run(t, ns, "ip", "addr", "add", "198.51.100.7/24", "dev", "eth0") // another one
	testenv.Run(t, ns, "ip", "addr", "add", "192.0.2.11/24", "dev", "eth0")
	said("underlay is back")
	said("underlay is gone")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
