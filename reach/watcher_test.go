package reach

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weft/internal/testenv"
	"weft/overlay"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

var key = overlay.Key{Kind: overlay.KindTunnel, Name: "neta"}

// watching follows one peer until the test ends.
func watching(t *testing.T, r Resolver, p Peer) *Watcher {
	t.Helper()
	w := New(r)
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(func() { stop(); w.Wait() })
	w.Follow(ctx, map[overlay.Key]Peer{key: p})
	return w
}

// becomes waits until the peer's status is as want says.
func becomes(t *testing.T, w *Watcher, what string, want func(Status) bool) {
	t.Helper()
	testenv.Eventually(t, 30*time.Second, func() error {
		if s := w.Statuses()[key]; !want(s) {
			return fmt.Errorf("it is %+v", s)
		}
		return nil
	}, what)
}

// A peer that goes silent is down, and up when it answers again; its round trip is known.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	for family, target := range map[overlay.Family]string{overlay.V4: "10.9.9.2", overlay.V6: "fd09::2"} {
		t.Run(string(family), func(t *testing.T) {
			t.Parallel()
			here, there := testenv.Namespace(t), testenv.Namespace(t)
			testenv.Run(t, here, "ip", "link", "add", "tun", "type", "veth", "peer", "name", "tun", "netns", filepath.Base(there))
			for i, ns := range []string{here, there} {
				testenv.Run(t, ns, "ip", "address", "add", fmt.Sprintf("10.9.9.%d/24", i+1), "dev", "tun")
				testenv.Run(t, ns, "ip", "address", "add", fmt.Sprintf("fd09::%d/64", i+1), "dev", "tun", "nodad")
				testenv.Run(t, ns, "ip", "link", "set", "tun", "up")
			}
			w := watching(t, nil, Peer{
				Remote: addr("192.0.2.1"), Namespace: here, Device: "tun",
				KeepAlive: &overlay.KeepAlive{Target: addr(target), IntervalMilliseconds: 100, Misses: 2},
			})
			becomes(t, w, "an answer", func(s Status) bool { return s.State == overlay.TunnelUp && s.RoundTrip > 0 })
			testenv.Run(t, there, "ip", "address", "flush", "dev", "tun")
			becomes(t, w, "down", func(s Status) bool {
				return s.Down && s.State == overlay.TunnelDown && strings.HasPrefix(s.Why, target+" does not answer") && s.Remote == addr("192.0.2.1")
			})
			testenv.Run(t, here, "ip", "link", "set", "tun", "name", "other")
			becomes(t, w, "the reason", func(s Status) bool { return strings.HasSuffix(s.Why, "the interface is not there") })
			testenv.Run(t, here, "ip", "link", "set", "other", "name", "tun")
			testenv.Run(t, there, "ip", "address", "add", target+"/24", "dev", "tun")
			becomes(t, w, "up again", func(s Status) bool { return !s.Down && s.State == overlay.TunnelUp })
		})
	}
}

// names is a resolver by hand.
type names struct {
	mu   sync.Mutex
	said []netip.Addr
	err  error
}

func (n *names) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.said, n.err
}

func (n *names) say(err error, said ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.said, n.err = nil, err
	for _, s := range said {
		n.said = append(n.said, addr(s))
	}
}

// A name is followed; while nobody knows it, its last address stays.
func TestNames(t *testing.T) {
	t.Parallel()
	dns := &names{err: &net.DNSError{IsNotFound: true}}
	w := watching(t, dns, Peer{Name: "site.example"})
	becomes(t, w, "unresolved", func(s Status) bool {
		return s.State == overlay.TunnelUnresolved && s.Why == "site.example has no address in DNS" && !s.Remote.IsValid()
	})
	dns.say(nil, "127.0.0.1", "198.51.100.8", "198.51.100.7")
	becomes(t, w, "the lowest address", func(s Status) bool { return s.State == overlay.TunnelUp && s.Remote == addr("198.51.100.7") })
	<-w.Changed()
	dns.say(errors.New("no way"))
	becomes(t, w, "the last address", func(s Status) bool {
		return s.Remote == addr("198.51.100.7") && s.Why == "look up site.example: no way; 198.51.100.7 is what it was"
	})
	dns.say(nil, "198.51.100.9")
	becomes(t, w, "the new address", func(s Status) bool { return s.Remote == addr("198.51.100.9") && s.Why == "" })
	<-w.Changed()
}

// Of several addresses it is the one that it was, as long as it is among them.
func TestLook(t *testing.T) {
	t.Parallel()
	dns := &names{}
	dns.say(nil, "198.51.100.6", "198.51.100.7", "::ffff:198.51.100.5")
	for had, want := range map[string]string{"198.51.100.7": "198.51.100.7", "198.51.100.8": "198.51.100.5"} {
		if got, err := look(t.Context(), dns, Peer{Name: "site.example"}, addr(had)); err != nil || got != addr(want) {
			t.Errorf("it was %s: %s, %v, want %s", had, got, err, want)
		}
	}
}

// What cannot be the peer's address is not taken for it, and said.
func TestLookRefuses(t *testing.T) {
	t.Parallel()
	own := []netip.Addr{addr("192.0.2.11"), addr("2001:db8::11")}
	for _, tt := range []struct {
		family overlay.Family
		said   string
		err    error
		want   string
	}{
		{"", "127.0.0.1", nil, "site.example stands for 127.0.0.1, which is no address of a peer"},
		{overlay.V4, "192.0.2.11", nil, "site.example stands for 192.0.2.11, which is this node's own address"},
		{"", "::ffff:192.0.2.11", nil, "site.example stands for 192.0.2.11, which is this node's own address"},
		{overlay.V4, "2001:db8::9", nil, "site.example has no IPv4 address in DNS"},
		{overlay.V6, "192.0.2.9", nil, "site.example has no IPv6 address in DNS"},
		{overlay.V4, "", &net.DNSError{IsNotFound: true}, "site.example has no IPv4 address in DNS"},
		{overlay.V6, "", &net.AddrError{Err: "no suitable address"}, "site.example has no IPv6 address in DNS"},
		{"", "", &net.DNSError{IsNotFound: true}, "site.example has no address in DNS"},
	} {
		dns := &names{}
		if dns.say(tt.err); tt.said != "" {
			dns.say(nil, tt.said)
		}
		p := Peer{Name: "site.example", Family: tt.family, Own: own}
		if got, err := look(t.Context(), dns, p, netip.Addr{}); err == nil || err.Error() != tt.want {
			t.Errorf("%s %s: %s, %v, want %s", tt.family, tt.said, got, err, tt.want)
		}
		if tt.said == "" {
			continue
		}
		dns.say(nil, tt.said, "198.51.100.7", "2001:db8::7")
		if got, err := look(t.Context(), dns, p, netip.Addr{}); err != nil || got != addr("198.51.100.7") && got != addr("2001:db8::7") {
			t.Errorf("%s %s beside the peer's: %s, %v", tt.family, tt.said, got, err)
		}
		p.Known.Remote = addr(tt.said).Unmap()
		dns.say(errors.New("no way"))
		if s := watching(t, dns, p).Statuses()[key]; s.Remote.IsValid() {
			t.Errorf("%s %s was remembered: %+v", tt.family, tt.said, s)
		}
	}
}

// What was found out before counts until it is found to be otherwise.
func TestKnown(t *testing.T) {
	t.Parallel()
	dns := &names{err: &net.DNSError{IsTimeout: true}}
	w := watching(t, dns, Peer{
		Name: "site.example", Known: overlay.TunnelPath{Remote: addr("198.51.100.7"), Down: true},
		KeepAlive: &overlay.KeepAlive{Target: addr("127.0.0.1"), IntervalMilliseconds: 100, Misses: 2},
	})
	if s := w.Statuses()[key]; s.State != overlay.TunnelDown || s.Remote != addr("198.51.100.7") {
		t.Errorf("it begins with %+v", s)
	}
	becomes(t, w, "an answer", func(s Status) bool { return s.State == overlay.TunnelUp && s.Remote == addr("198.51.100.7") })
}

// Who is not to be asked is up, and nothing runs for it.
func TestNobodyAsked(t *testing.T) {
	t.Parallel()
	w := watching(t, nil, Peer{Remote: addr("192.0.2.1")})
	if s := w.Statuses()[key]; s.State != overlay.TunnelUp || s.Remote != addr("192.0.2.1") {
		t.Errorf("it is %+v", s)
	}
	w.Wait()
	w.Follow(t.Context(), nil)
	if len(w.Statuses()) != 0 {
		t.Error("a peer that nobody wants is followed")
	}
}
