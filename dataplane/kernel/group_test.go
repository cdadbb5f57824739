package kernel

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

func TestRoll(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	silent := func(r roll, seconds float64, want ...overlay.NodeName) {
		t.Helper()
		if got := r.silent(at(seconds)); !slices.Equal(got, want) {
			t.Errorf("after %v s %v are silent, want %v", seconds, got, want)
		}
	}
	r := newRoll()
	r.expect([]overlay.NodeName{"c", "b"}, at(0))
	silent(r, 3)
	silent(r, 3.1, "b", "c")
	r.hear("b", at(3.2))
	r.hear("stranger", at(3.2))
	silent(r, 6, "c")
	silent(r, 6.3, "b", "c")
	r.expect([]overlay.NodeName{"b", "d"}, at(6.3)) // c has left
	silent(r, 6.4, "b")
	silent(r, 9.4, "b", "d")
	r.excuse(at(9.5))
	silent(r, 12)
	if len(r.heard) != 0 || len(r.since) != 2 {
		t.Errorf("kept %v and %v", r.heard, r.since)
	}
}

func TestCall(t *testing.T) {
	t.Parallel()
	for _, node := range []overlay.NodeName{"a", overlay.NodeName(strings.Repeat("x", overlay.MaxName))} {
		f := callFrame(overlay.MAC{2}, 0xabcdef, node)
		if got, ok := parseCall(f, 0xabcdef); !ok || got != node {
			t.Errorf("%s calls as %q, %v", node, got, ok)
		}
		if _, ok := parseCall(f, 0xabcdee); ok {
			t.Errorf("%s is heard in another network", node)
		}
	}
}

// FuzzCall: whoever is in the group can send anything.
func FuzzCall(f *testing.F) {
	whole := callFrame(overlay.MAC{2}, 7, "node-a")
	for _, cut := range []int{0, ethernetLen, ethernetLen + len(callMagic) + 4, ethernetLen + len(callMagic) + 5, len(whole)} {
		f.Add(whole[:cut])
	}
	f.Add(bytes.Replace(whole, []byte("\x06node-a"), []byte("\xffnode-a"), 1))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if node, ok := parseCall(frame, 7); ok && overlay.CheckName("node", string(node)) != nil {
			t.Errorf("took %q for a name", node)
		}
	})
}

// A group that an underlay does not route is named, with the nodes that are not heard, within 5 s; and
// not any more as soon as it is routed. So is a TTL that ends before the way does.
func TestGroupReach(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 2, overlay.Bridged, overlay.V4)
	routeBetween(t, n.bed)
	for i, h := range n.bed.hosts {
		h.apply(n.edited(i, grouped))
	}
	took := []time.Duration{n.unreached(t, 0, "b"), n.unreached(t, 1, "a")}
	stop := routeGroup(t, n.bed)
	n.unreached(t, 0)
	n.unreached(t, 1)
	ping(t, n.workloads[0], n.endpoint(1).Addresses[0].String())

	// A group packet of TTL 1 dies at the router, and so do the node's calls.
	n.bed.hosts[1].apply(n.edited(1, grouped, func(n *dataplane.Network) { n.TTL = 1 }))
	took = append(took, n.unreached(t, 0, "b"))
	n.bed.hosts[1].apply(n.edited(1, grouped))
	n.unreached(t, 0)

	stop()
	took = append(took, n.unreached(t, 0, "b"))
	if slices.Sort(took); took[1] > 5*time.Second { // a busy machine may delay one or the other
		t.Errorf("known after %v, want 5s at most", took)
	}
	for _, h := range n.bed.hosts {
		h.apply(dataplane.State{Node: h.name, Generation: 2}) // and nothing holds the namespace
	}
}

// So it is over IPv6, where a switch on the way drops what goes to the group.
func TestGroupReach6(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 2, overlay.Bridged, overlay.V6)
	testenv.Run(t, n.bed.wire, "nft", "table bridge switch { chain on { type filter hook forward priority 0; ip6 daddr ff05::100 drop; }; }")
	for i, h := range n.bed.hosts {
		h.apply(n.edited(i, grouped))
	}
	took := []time.Duration{n.unreached(t, 0, "b"), n.unreached(t, 1, "a")}
	if slices.Sort(took); took[0] > 5*time.Second { // a busy machine may delay the other
		t.Errorf("known after %v, want 5s at most", took)
	}
	testenv.Run(t, n.bed.wire, "nft", "delete table bridge switch")
	n.unreached(t, 0)
	n.unreached(t, 1)
	ping(t, n.workloads[0], n.endpoint(1).Addresses[0].String())
	for _, h := range n.bed.hosts {
		h.apply(dataplane.State{Node: h.name, Generation: 2})
	}
}

// unreached waits until host i says that nothing is heard of exactly these nodes, and has announced
// it; it returns how long that took.
func (n testNet) unreached(t *testing.T, i int, nodes ...overlay.NodeName) time.Duration {
	t.Helper()
	h, start := n.bed.hosts[i], time.Now()
	testenv.Eventually(t, 30*time.Second, func() error {
		seen, err := h.plane.Compare(context.Background())
		if err != nil {
			return err
		}
		lines := seen.Networks[n.spec.Name].Differs
		if len(lines) != len(nodes) {
			return fmt.Errorf("host %s says %q", h.name, lines)
		}
		for j, node := range nodes {
			want := fmt.Sprintf("group %s does not reach here from node %s: ", groupOf(overlay.FamilyOf(n.spec.Local)), node)
			if !strings.HasPrefix(lines[j], want) {
				return fmt.Errorf("host %s says %q", h.name, lines[j])
			}
		}
		return nil
	}, fmt.Sprintf("host %s does not hear %v", h.name, nodes))
	took := time.Since(start)
	testenv.Eventually(t, 5*time.Second, func() error {
		for {
			select {
			case e := <-h.plane.Events():
				if e.Kind == dataplane.EventReach && e.Network == n.spec.Name {
					return nil
				}
			default:
				return fmt.Errorf("host %s has announced nothing", h.name)
			}
		}
	}, "who is heard is announced when it changes")
	return took
}

// routeBetween makes a router of the wire between two hosts. They do not notice: it answers for each
// of them to the other.
func routeBetween(t testing.TB, b *bed) {
	t.Helper()
	testenv.Run(t, b.wire, "sh", "-ec", `
ip link delete br0
for i in 0 1; do
	echo 1 > /proc/sys/net/ipv4/conf/p$i/proxy_arp
	echo 0 > /proc/sys/net/ipv4/conf/p$i/rp_filter
	ip address add 198.51.100.$((i + 1))/32 dev p$i
	ip route add 192.0.2.$((i + 1))/32 dev p$i
done
echo 1 > /proc/sys/net/ipv4/ip_forward`)
	ping(t, b.hosts[0].ns, b.hosts[1].underlay(overlay.V4).String())
}

// routeGroup has the router route the tests' group in both directions, until stop is called
// (linux/mroute.h).
func routeGroup(t testing.TB, b *bed) (stop func()) {
	t.Helper()
	const initialise, addInterface, addRoute, byIndex = 200, 202, 204, 8 // MRT_INIT, MRT_ADD_VIF, MRT_ADD_MFC, VIFF_USE_IFINDEX
	fd := -1
	err := netns.Do(b.wire, func() (err error) {
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_IGMP); err != nil {
			return err
		}
		set := func(option int, value []byte) {
			if err == nil {
				err = unix.SetsockoptString(fd, unix.IPPROTO_IP, option, string(value))
			}
		}
		set(initialise, binary.NativeEndian.AppendUint32(nil, 1))
		for i := range 2 {
			port, e := net.InterfaceByName(fmt.Sprintf("p%d", i))
			if e != nil {
				return e
			}
			vif := binary.NativeEndian.AppendUint16(nil, uint16(i)) // struct vifctl
			vif = append(vif, byIndex, 1, 0, 0, 0, 0)
			vif = binary.NativeEndian.AppendUint32(vif, uint32(port.Index))
			set(addInterface, append(vif, 0, 0, 0, 0))
		}
		for i := range 2 {
			route := append(b.hosts[i].underlay(overlay.V4).AsSlice(), netip.MustParseAddr("239.1.1.1").AsSlice()...) // struct mfcctl
			route = binary.NativeEndian.AppendUint16(route, uint16(i))
			ttls := make([]byte, 32)
			ttls[1-i] = 1
			set(addRoute, append(append(route, ttls...), make([]byte, 18)...))
		}
		return err
	})
	stop = func() {
		if fd >= 0 {
			_ = unix.Close(fd)
			fd = -1
		}
	}
	t.Cleanup(stop)
	if err != nil {
		t.Fatal(err)
	}
	return stop
}
