package user

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// tunnel is one of n's to its peer, beside its network, on another port.
func (n *node) tunnel(f families, port uint16) dataplane.Tunnel {
	local, remote, _, _, _, _ := f.addresses()
	s := overlay.TunnelSpec{
		Node: "a", Mode: overlay.TunnelUDP, Remote: remote.String(), Port: port, Plane: overlay.PlaneUser,
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.1.1.1/24"), netip.MustParsePrefix("fd01::1/64")},
		Routes:    []overlay.TunnelRoute{{Prefix: netip.MustParsePrefix("10.2.0.0/16")}},
	}
	return dataplane.Tunnel{Name: "site", Spec: s.Complete("site"), Local: local, Remote: remote, MTU: 1400}
}

// TestTunnel: a tunnel that stands alone is an interface of the host's, and everything that is
// routed to it goes to its peer, multicast too.
func TestTunnel(t *testing.T) {
	t.Parallel()
	for _, outside := range []overlay.Family{overlay.V4, overlay.V6} {
		t.Run(string(outside), func(t *testing.T) {
			t.Parallel()
			f := families{outside, overlay.V4}
			n := newNode(t, f)
			local, remote, _, _, _, _ := f.addresses()
			n.state.Networks = nil
			n.state.Tunnels = map[overlay.TunnelName]dataplane.Tunnel{"site": n.tunnel(f, overlay.DefaultUDPPort)}
			n.state.Generation++
			n.applyTunnels(nil)
			testenv.Run(t, n.peer.ns, "ip", "address", "add", "10.1.1.2/24", "dev", "flannel0")
			testenv.Run(t, n.peer.ns, "ip", "address", "add", "10.2.3.4/16", "dev", "flannel0")
			testenv.Run(t, n.peer.ns, "ip", "address", "add", "fd01::2/64", "dev", "flannel0", "nodad")
			for _, at := range []string{"10.1.1.2", "10.2.3.4", "fd01::2"} {
				if err := transfer(n.host, n.peer.ns, netip.MustParseAddr(at)); err != nil {
					t.Errorf("to %s: %v", at, err)
				}
			}
			if err := transfer(n.peer.ns, n.host, netip.MustParseAddr("10.1.1.1")); err != nil {
				t.Errorf("from the peer: %v", err)
			}
			testenv.Run(t, n.host, "ip", "link", "set", "site", "name", "renamed")
			n.applyTunnels(nil)
			if err := transfer(n.host, n.peer.ns, netip.MustParseAddr("10.2.3.4")); err != nil {
				t.Errorf("when somebody has renamed it: %v", err)
			}
			for _, a := range []netip.Addr{local, remote} {
				testenv.Run(t, n.host, "ping", "-c1", "-W5", a.String()) // the underlay is as it was
			}
			n.state.Tunnels = nil
			n.state.Generation++
			n.applyTunnels(nil)
			if links := testenv.Output(t, n.host, "ip", "-br", "link"); strings.Contains(links, "site") {
				t.Errorf("left: %s", links)
			}
		})
	}
}

// applyTunnels applies the state, and wants that of the tunnels nothing differs, or what was said.
func (n *node) applyTunnels(want error) {
	n.Helper()
	err := n.plane.Apply(context.Background(), n.state, nil)
	if want != nil || err != nil {
		if !errors.Is(err, want) {
			n.Fatalf("got %v, want %v", err, want)
		}
		return
	}
	seen, err := n.plane.Observe(context.Background(), "")
	if err != nil || len(seen.Tunnels) != len(n.state.Tunnels) {
		n.Fatalf("observed %+v, %v", seen.Tunnels, err)
	}
	for name, v := range seen.Tunnels {
		for _, line := range v.Differs {
			n.Errorf("%s: %s", name, line)
		}
		if len(v.Links) != 1 || v.Links[0].Tunnel == nil || v.Links[0].Tunnel.Listening == "" {
			n.Errorf("%s: %+v", name, v.Links)
		}
	}
}

// TestPortIsTaken: who has it is named, nothing is left, and all else goes on.
func TestPortIsTaken(t *testing.T) {
	t.Parallel()
	f := families{overlay.V4, overlay.V4}
	n := newNode(t, f)
	var taken *net.UDPConn
	if err := netns.Do(n.host, func() (err error) {
		taken, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 9999})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	n.state.Tunnels = map[overlay.TunnelName]dataplane.Tunnel{"site": n.tunnel(f, 9999)}
	n.state.Generation++
	err := n.plane.Apply(context.Background(), n.state, nil)
	want := fmt.Sprintf("UDP port 9999 is taken by process %d", os.Getpid())
	if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if links := testenv.Output(t, n.host, "ip", "-br", "link"); strings.Contains(links, "site") {
		t.Errorf("left: %s", links)
	}
	_, _, _, theirs, _, _ := f.addresses()
	if err := transfer(n.workload, n.peer.ns, theirs); err != nil {
		t.Error(err)
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	n.applyTunnels(nil)
}

// TestSharedPort: a tunnel and a network have one port as long as their peers differ.
func TestSharedPort(t *testing.T) {
	t.Parallel()
	f := families{overlay.V4, overlay.V4}
	n := newNode(t, f)
	other := n.tunnel(f, overlay.DefaultUDPPort)
	other.Remote = netip.MustParseAddr("192.0.2.77")
	n.state.Tunnels = map[overlay.TunnelName]dataplane.Tunnel{"site": other}
	n.state.Generation++
	n.applyTunnels(nil)
	_, _, _, theirs, _, _ := f.addresses()
	if err := transfer(n.workload, n.peer.ns, theirs); err != nil {
		t.Error(err)
	}
	n.state.Tunnels["site"] = n.tunnel(f, overlay.DefaultUDPPort)
	n.state.Generation++
	err := n.plane.Apply(context.Background(), n.state, nil)
	if err == nil || !strings.Contains(err.Error(), "want another port") {
		t.Errorf("one peer in two: %v", err)
	}
}
