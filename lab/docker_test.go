package lab_test

import (
	"errors"
	"io/fs"
	"net/netip"
	"strings"
	"testing"
	"time"

	"weft/internal/testenv"
	"weft/lab"
)

// The firewall must bite where it should, or the tests that overlay traffic passes
// it prove nothing.
func TestLikeDockerCutsABridgeOnTheHost(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "ip", "ping", "iptables", "ip6tables")
	h := build(t, single).Host("h")
	w := bridged(t, h)
	others := []netip.Addr{netip.MustParseAddr("10.9.0.2"), netip.MustParseAddr("fd09::2")}
	for _, other := range others {
		if err := ping(t.Context(), w, other); err != nil {
			t.Fatalf("before: %v", err)
		}
	}
	likeDocker(t, h)
	for _, other := range others {
		testenv.Eventually(t, 5*time.Second, func() error {
			if err := ping(t.Context(), w, other, "-W0.2"); err == nil {
				return errors.New("the bridge forwards")
			}
			return nil
		}, "pings to "+other.String()+" are dropped")
	}
	for _, iptables := range []string{"iptables", "ip6tables"} {
		head, _, _ := strings.Cut(testenv.Output(t, h.Path(), iptables, "-nvL", "FORWARD"), "\n")
		if !strings.Contains(head, "policy DROP") || strings.Contains(head, "DROP 0 packets") {
			t.Errorf("%s: want drops by policy, got %q", iptables, head)
		}
	}
}

func likeDocker(t *testing.T, h *lab.Host) {
	t.Helper()
	err := h.LikeDocker(t.Context())
	if errors.Is(err, fs.ErrNotExist) {
		testenv.Skip(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// bridged joins two workloads by a bridge on the host, and returns the first.
func bridged(t *testing.T, h *lab.Host) *lab.Namespace {
	t.Helper()
	testenv.Run(t, h.Path(), "ip", "link", "add", "bridge0", "up", "type", "bridge")
	var first *lab.Namespace
	for _, n := range []string{"1", "2"} {
		w, err := h.Workload(n)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = w
		}
		name := w.Path()[strings.LastIndex(w.Path(), "/")+1:]
		testenv.Run(t, h.Path(), "ip", "link", "add", "p"+n, "up", "master", "bridge0", "type", "veth", "peer", "eth0", "netns", name)
		testenv.Run(t, w.Path(), "ip", "link", "set", "eth0", "up")
		testenv.Run(t, w.Path(), "ip", "address", "add", "10.9.0."+n+"/24", "dev", "eth0")
		testenv.Run(t, w.Path(), "ip", "address", "add", "fd09::"+n+"/64", "dev", "eth0", "nodad")
	}
	return first
}

func TestLikeDockerMasquerades(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "iptables", "ip6tables")
	l := build(t, lab.Demo(""))
	for _, h := range l.Hosts() {
		likeDocker(t, h)
		for _, iptables := range []string{"iptables", "ip6tables"} {
			if got := testenv.Output(t, h.Path(), iptables, "-t", "nat", "-S", "POSTROUTING"); !strings.Contains(got, "-A POSTROUTING -j MASQUERADE") {
				t.Errorf("%s: got %q", h.Name(), got)
			}
		}
	}
	if err := pingAll(t.Context(), l); err != nil {
		t.Errorf("the hosts do not reach each other any more: %v", err)
	}
}
