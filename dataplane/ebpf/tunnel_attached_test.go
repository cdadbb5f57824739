package ebpf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/encap"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// Tunnels to a stranger are parts of two networks: blue, which is bridged, and green, which is routed
// and has no other port.
var (
	strangerVTEP = netip.AddrFrom4([4]byte{192, 0, 2, 3})
	behindGreen  = netip.MustParsePrefix("10.99.0.0/24")
)

func attachedState() dataplane.State {
	local := dataplanetest.Local(overlay.V4).Addr()
	port := func(s overlay.TunnelSpec) dataplane.Port {
		s.Node, s.Plane, s.Remote, s.TTL.Hops = "a", overlay.PlaneEBPF, strangerVTEP.String(), 64
		t := dataplane.Tunnel{Name: "site", Spec: s.Complete("site"), Local: local, Remote: strangerVTEP, MTU: 1400}
		return dataplane.Port{
			Name: "tunnel/site", Kind: overlay.PortSegment, Device: s.Device, Tunnel: &t,
			Attach: overlay.Attach{Type: overlay.AttachTunnel, Target: "site"},
		}
	}
	s := stateWith("blue")
	s.Networks["blue"].Ports["tunnel/site"] = port(overlay.TunnelSpec{Mode: overlay.TunnelVXLAN, VNI: 77, Device: "site0"})
	s.Networks["green"] = dataplane.Network{
		Settings: settings("green", overlay.Routed, local),
		Ports: map[overlay.EndpointName]dataplane.Port{"tunnel/site": port(overlay.TunnelSpec{
			Mode: overlay.TunnelGRE, Device: "site1", Routes: []overlay.TunnelRoute{{Prefix: behindGreen}},
		})},
		Members: map[overlay.NodeName]dataplane.Member{},
	}
	return s
}

// carries fails the test unless what the stranger sends comes through both tunnels, and an answer back.
func (b *bed) carries(t testing.TB) {
	t.Helper()
	local := dataplanetest.Local(overlay.V4).Addr()
	toAlice := packet.Ends{SrcMAC: strangerMAC, DstMAC: alice.mac, Src: netip.MustParseAddr("10.7.0.77"), Dst: alice.ip}
	frame := toAlice.EchoRequest(1, 1, []byte(mark))
	toGateway := packet.Ends{Src: behindGreen.Addr().Next(), Dst: netip.MustParseAddr("10.7.0.1")}.EchoRequest(1, 1, []byte(mark))[packet.EthernetLen:]
	for _, p := range [][]byte{
		encap.Wrap(encap.Outer{Src: strangerVTEP, Dst: local, VNI: 77, DstPort: overlay.DefaultVXLANPort}, frame),
		encap.Wrap(encap.Outer{Encapsulation: overlay.EncapGRE, Src: strangerVTEP, Dst: local, NoKey: true, Inner: packet.TypeIPv4}, toGateway),
	} {
		if err := b.Inject(dataplanetest.Underlay, p); err != nil {
			t.Fatal(err)
		}
	}
	got, err := b.Deliveries()
	if err != nil {
		t.Fatal(err)
	}
	in, out := 0, 0
	for _, d := range got {
		switch {
		case d.At == placeOf("blue", alice) && bytes.Equal(d.Bytes, frame):
			in++
		case d.Via == strangerVTEP && bytes.Contains(d.Bytes, []byte(mark)):
			out++
		}
	}
	if in != 1 || out != 1 {
		t.Errorf("%d frames came to alice, and %d answers to the stranger, of one each: %v", in, out, got)
	}
}

// ofEnds are the tables of the ends that there are.
func (b *bed) ofEnds(t testing.TB) (all []Tables) {
	t.Helper()
	r, err := b.programs.read()
	if err != nil {
		t.Fatal(err)
	}
	for owner, tables := range r.tables {
		if isEnd(owner) {
			all = append(all, tables)
		}
	}
	return all
}

func attachedTamperings() []tampering {
	onHost := func(line string) func(testing.TB, *bed) {
		return func(t testing.TB, b *bed) {
			testenv.Run(t, b.on.Namespace, append([]string{"ip"}, strings.Fields(line)...)...)
		}
	}
	return []tampering{
		{"ends deleted", func(t testing.TB, b *bed) {
			for _, tables := range b.ofEnds(t) {
				for k := range tables.ends {
					if err := b.programs.objects.Ends.Delete(k); err != nil {
						t.Fatal(err)
					}
				}
			}
		}, "maps of tunnel site"},
		{"ends of another network", func(t testing.TB, b *bed) {
			for _, tables := range b.ofEnds(t) {
				for k, e := range tables.ends {
					e.Owner++
					set(t, b.programs.objects.Ends, k, e)
				}
			}
		}, "map ends"},
		{"arrivals deleted", func(t testing.TB, b *bed) {
			for _, tables := range b.ofEnds(t) {
				for k := range tables.arrivals {
					if err := b.programs.objects.Arrivals.Delete(k); err != nil {
						t.Fatal(err)
					}
				}
			}
		}, "map arrivals"},
		{"near end on the host deleted", onHost("link delete site0"), "link add"},
		{"near end on the host without a program", unpin("site0", onPort), "no program on device"},
		{"near end in the domain down", func(t testing.TB, b *bed) {
			testenv.Run(t, b.on.NetnsDir+"/weft-green", "ip", "link", "set", "site1", "down")
		}, "link set site1 up"},
		{"filter of the domain deleted", func(t testing.TB, b *bed) {
			testenv.Run(t, b.on.NetnsDir+"/weft-green", "nft", "flush", "ruleset")
		}, "nft"},
	}
}

// TestTunnelsInNetworks: whatever somebody does to tunnels that are parts of networks is seen, and
// repaired; they outlive who has made them; what they have carried is counted on when they have
// gone, and nothing else is left.
func TestTunnelsInNetworks(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	state := attachedState()
	b.apply(t, state)
	b.settled(t)
	b.carries(t)
	b.counts(t)
	b.looks(t)
	for _, c := range attachedTamperings() {
		t.Run(c.name, func(t *testing.T) {
			c.do(t, b)
			if seen := strings.Join(differs(t, b.Plane), "\n"); !strings.Contains(seen, c.seen) {
				t.Errorf("want %q to be seen, got %q", c.seen, seen)
			}
			b.apply(t, state)
			b.settled(t)
			b.carries(t)
		})
	}
	if err := errors.Join(b.upgrade(1, ""), b.Apply(state, nil)); err != nil {
		t.Fatal(err)
	}
	b.settled(t)
	b.carries(t)
	for _, name := range []overlay.NetworkName{"blue", "green"} {
		b.leaves(t, name, state)
	}
	if left := b.ofEnds(t); len(left) > 0 {
		t.Errorf("ends are left over: %v", left)
	}
	b.settled(t)
}

// counts fails the test unless each tunnel is said to have carried packets both ways.
func (b *bed) counts(t *testing.T) {
	t.Helper()
	seen, err := b.Plane.Compare(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	// Nobody answers behind blue's, nor sends there.
	for name, n := range seen.Networks {
		if c := n.Tunnels["site"]; c == nil || c.From.Packets == 0 || name == "green" && c.To.Packets == 0 {
			t.Errorf("%s: its tunnel has carried %+v", name, c)
		}
	}
}

// looks fails the test unless the near ends are shown as what the programs make of them.
func (b *bed) looks(t *testing.T) {
	t.Helper()
	for name, vxlan := range map[overlay.NetworkName]bool{"blue": true, "green": false} {
		seen, err := b.Plane.Observe(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, l := range seen.Networks[name].Links {
			if v := l.Tunnel; v != nil && l.Port == "tunnel/site" {
				found = true
				if (v.VNI != 0) != vxlan || (v.SourcePorts[0] != 0) != vxlan || v.Checksum && !vxlan {
					t.Errorf("%s: %s is shown as %+v", name, l.Device, *v)
				}
			}
		}
		if !found {
			t.Errorf("%s: its tunnel is not shown", name)
		}
	}
}

// leaves takes the tunnel out of a network by a delta.
func (b *bed) leaves(t *testing.T, name overlay.NetworkName, state dataplane.State) {
	t.Helper()
	carried := func() overlay.Traffic {
		seen, err := b.Plane.Observe(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		return *seen.Networks[name].Traffic.Ports
	}
	before := carried()
	if before.From.Packets == 0 || before.To.Packets == 0 {
		t.Errorf("%s: its ports have carried %+v", name, before)
	}
	was := state.Clone()
	delete(state.Networks[name].Ports, "tunnel/site")
	was.Generation, state.Generation = 1, 2
	b.apply(t, was)
	d := dataplane.Between(was, state)
	if err := b.Apply(state, &d); err != nil {
		t.Fatal(err)
	}
	if after := carried(); after.From.Packets < before.From.Packets || after.To.Packets < before.To.Packets {
		t.Errorf("%s: its ports had carried %+v and have carried %+v", name, before, after)
	}
	if links := fmt.Sprint(b.devices(t)); strings.Contains(links, map[overlay.NetworkName]string{"blue": "site0", "green": "site1"}[name]) {
		t.Errorf("%s is still there", links)
	}
}
