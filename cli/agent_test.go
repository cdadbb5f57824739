package cli

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"weft/api"
	"weft/api/agentapi"
	"weft/dataplane"
	"weft/overlay"
	"weft/packet"
	"weft/store"
)

// agent is an agent of node a without a host: it writes endpoints into the store
// as an agent does, and tells of network blue what a host might have.
type agent struct {
	client  *api.Client
	started time.Time
	mu      sync.Mutex
	ops     []string // what Plan says
}

var _ agentapi.Service = (*agent)(nil)

func (a *agent) Attach(ctx context.Context, r agentapi.AttachRequest) (agentapi.Attachment, error) {
	e := overlay.New(overlay.KindEndpoint).(*overlay.Endpoint)
	e.Network, e.Name = r.Network, string(r.Name)
	if e.Name == "" {
		e.Name = filepath.Base(r.Target)
	}
	e.Spec = overlay.EndpointSpec{
		Node: "a", MAC: r.MAC, Addresses: r.Addresses, Lifetime: r.Lifetime,
		Attach: overlay.Attach{Type: r.Type, Target: r.Target, Interface: r.Interface},
	}
	if r.Type == overlay.AttachNetns {
		if r.Target == "nowhere" {
			return agentapi.Attachment{}, api.Invalid("a path or a process id will do too", "network namespace %q: no such name in /run/netns", r.Target)
		}
		e.Spec.Attach.Identity = "4:4026532271"
		if !strings.Contains(r.Target, "/") {
			e.Spec.Attach.Target = "/run/netns/" + r.Target
		}
	}
	made, _, err := a.client.Update(ctx, store.Change{Put: e, Expect: store.Absent})
	if err != nil {
		return agentapi.Attachment{}, err
	}
	n, err := a.client.Get(ctx, overlay.Key{Kind: overlay.KindNetwork, Name: string(r.Network)})
	if err != nil {
		return agentapi.Attachment{}, err
	}
	return agentapi.Attachment{Endpoint: made.(*overlay.Endpoint), Gateways: n.(*overlay.Network).Spec.Gateways, MTU: 1450}, nil
}

func (a *agent) Detach(ctx context.Context, r agentapi.DetachRequest) error {
	k := overlay.Key{Kind: overlay.KindEndpoint, Network: r.Network, Name: string(r.Name)}
	if _, err := a.client.Get(ctx, k); err != nil {
		return err
	}
	_, _, err := a.client.Update(ctx, store.Change{Delete: k, Expect: store.Any})
	return err
}

func (a *agent) Declare(context.Context, agentapi.Declaration) error { return nil }

func (a *agent) Declared(context.Context) (agentapi.Declared, error) {
	return agentapi.Declared{}, nil
}

func (a *agent) Stop(context.Context) error { return nil }

func (a *agent) Status(context.Context) (agentapi.NodeReport, error) {
	return agentapi.NodeReport{
		Node: "a", Version: "v1.2.3", Started: a.started, Underlay: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")},
		Server: agentapi.Connection{Server: "192.0.2.1:7411", Connected: true, Since: time.Now().Add(-72 * time.Second)},
		Held:   map[overlay.NetworkName]string{"red": "it has a field that this version does not know"},
		Networks: []overlay.NetworkReport{{
			Network: "blue", Plane: overlay.PlaneKernel, PlaneReason: "auto: found so on this host", BetterPlane: overlay.PlaneEBPF,
			Wanted: 14, Present: 14, Since: time.Now().Add(-192 * time.Second),
			Drops:   overlay.Drops{overlay.DropSpoofedMAC: 3, overlay.DropNotMember: 5},
			Traffic: overlay.NetworkTraffic{Nodes: &overlay.Traffic{From: overlay.Count{Packets: 12, Bytes: 1400}}},
		}},
		Tunnels: []overlay.TunnelReport{{
			Tunnel: "neta", State: overlay.TunnelUp, Since: time.Now().Add(-72 * time.Second), Remote: netip.MustParseAddr("172.16.17.19"),
			RoundTripMicroseconds: 412, Plane: overlay.PlaneEBPF,
			PlaneReason: "auto: slow mode, without offloads, for GRE with checksums or sequence numbers: plane kernel: this kernel has no gre device",
			MTU:         1464, Wanted: 4, Present: 4, Notes: []string{"what this host routes is dropped by iptables -P FORWARD DROP"}, Traffic: &overlay.Traffic{From: overlay.Count{Packets: 12, Bytes: 1400}, To: overlay.Count{Packets: 3, Bytes: 252}},
		}},
		Drops: overlay.Drops{overlay.DropUnknownVNI: 7},
	}, nil
}

func (a *agent) View(_ context.Context, n overlay.NetworkName) (dataplane.NetworkView, error) {
	if n != "blue" {
		return dataplane.NetworkView{}, fmt.Errorf("network %s: %w on this node: a network is built where it has an endpoint", n, store.ErrNotFound)
	}
	return blue, nil
}

func (a *agent) Dropped(ctx context.Context, r agentapi.DroppedRequest) (dataplane.Dropped, error) {
	if r.Network == "red" {
		return dataplane.Dropped{}, fmt.Errorf("network red: %w on this node", store.ErrNotFound)
	}
	if r.After > 0 { // the agent ends while somebody waits
		return dataplane.Dropped{}, store.ErrUnavailable
	}
	return dataplane.Dropped{Packets: dropped, Last: uint64(len(dropped))}, nil
}

// dropped are packets that a host might have dropped.
var dropped = []dataplane.DroppedPacket{
	{
		Time: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), Reason: overlay.DropSpoofedIP, VNI: 4097, Network: "blue",
		Device: "wp0123456789a", Port: "web", Length: 48,
		Frame: packet.Ends{
			SrcMAC: overlay.MAC{2, 0, 0, 0, 0, 1}, DstMAC: overlay.MAC{2, 0, 0, 0, 0, 2},
			Src: netip.MustParseAddr("10.7.0.9"), Dst: netip.MustParseAddr("10.7.0.3"), TTL: 64,
		}.UDP(4000, 53, []byte("forged")),
	},
	{
		Time: time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC), Reason: overlay.DropUnknownVNI, Device: "eth0", Length: 9,
		Frame: []byte{1, 2, 3}, Hidden: 17,
	},
}

func (a *agent) Plan(context.Context) ([]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ops, nil
}

func (a *agent) tamper(ops []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ops = ops
}

func (a *agent) Explain(_ context.Context, n overlay.NetworkName) ([]string, error) {
	if n != "" && n != "blue" {
		return nil, fmt.Errorf("network %s: %w on this node: a network is built where it has an endpoint", n, store.ErrNotFound)
	}
	return []string{"ip netns add weft-blue", "ip -n weft-blue link add br0 address 02:77:66:00:10:01 type bridge"}, nil
}

func (a *agent) Endpoints(ctx context.Context, n overlay.NetworkName) ([]*overlay.Endpoint, error) {
	all, _, err := a.client.List(ctx, overlay.KindEndpoint, n, "a")
	if err != nil {
		return nil, err
	}
	var mine []*overlay.Endpoint
	for _, r := range all {
		mine = append(mine, r.(*overlay.Endpoint))
	}
	return mine, nil
}

// blue is what a host might have of a network, with an entry of each kind.
var blue = dataplane.NetworkView{
	Links: []dataplane.Link{
		{Device: "br0", Type: "bridge", Namespace: "weft-blue", Up: true, MTU: 1500, MAC: overlay.MAC{2, 0x77, 0x66, 0, 0x10, 1}},
		{
			Device: "vx0", Type: "vxlan", Namespace: "weft-blue", Up: true, MTU: 1500, MAC: overlay.MAC{2, 0, 0, 0, 0, 9},
			Tunnel: &dataplane.TunnelView{
				VNI: 4097, Local: netip.MustParseAddr("192.0.2.1"),
				Remotes:     []netip.Addr{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")},
				SourcePorts: [2]uint16{32768, 61000}, Port: 4789, Ageing: 5 * time.Minute, Checksum: true, Listening: "0.0.0.0:4789",
			},
		},
		{
			Device: "p0123456789ab", Type: "veth", Namespace: "weft-blue", MTU: 1450, Port: "web",
			Traffic: &overlay.Traffic{From: overlay.Count{Packets: 3, Bytes: 294}, To: overlay.Count{Packets: 2000, Bytes: 2_500_000}},
		},
	},
	Nodes: []dataplane.Peer{
		{Node: "b", VTEP: netip.MustParseAddr("192.0.2.2"), Traffic: &overlay.Traffic{From: overlay.Count{Packets: 1, Bytes: 98}}},
		{Node: "c", VTEP: netip.MustParseAddr("192.0.2.3")},
	},
	Traffic: overlay.NetworkTraffic{Nodes: &overlay.Traffic{From: overlay.Count{Packets: 7, Bytes: 700}}},
	Drops:   overlay.Drops{overlay.DropTTL: 4, overlay.DropNoRoute: 1},
	Dropped: map[overlay.DropReason]overlay.Count{overlay.DropTTL: {Packets: 4, Bytes: 392}},
	FDB: []dataplane.FDBEntry{
		{MAC: overlay.MAC{2, 0, 0, 0, 0, 1}, Device: "p0123456789ab", Port: "web", Origin: dataplane.FromRegistry, Age: -1},
		{MAC: overlay.MAC{2, 0, 0, 0, 0, 2}, Device: "vx0", VTEP: netip.MustParseAddr("192.0.2.2"), Node: "b", Origin: dataplane.FromRegistry, Age: 12 * time.Second},
		{Device: "vx0", VTEP: netip.MustParseAddr("192.0.2.2"), Node: "b", Origin: dataplane.FromRegistry, Age: -1},
		{MAC: overlay.MAC{2, 0, 0, 0, 0, 3}, Device: "p1", Port: "docker", Origin: dataplane.FromLearnt, Age: 192 * time.Second},
	},
	Neighbors: []dataplane.Neighbor{
		{Address: netip.MustParseAddr("10.7.0.2"), MAC: overlay.MAC{2, 0, 0, 0, 0, 1}, Device: "br0", State: "permanent", Origin: dataplane.FromRegistry, Age: -1},
		{Address: netip.MustParseAddr("fe80::1"), MAC: overlay.MAC{2, 0, 0, 0, 0, 2}, Device: "br0", State: "permanent", Origin: dataplane.FromRegistry, Age: time.Hour},
	},
	Routes: []dataplane.HostRoute{
		{Prefix: netip.MustParsePrefix("10.7.0.0/24"), Device: "br0", Type: "unicast", Namespace: "weft-blue", Origin: dataplane.FromRegistry},
		{Prefix: netip.MustParsePrefix("10.8.1.0/24"), Via: netip.MustParseAddr("10.8.1.0"), Device: "vx0", Type: "unicast", Namespace: "weft-blue", Node: "b", Origin: dataplane.FromRegistry},
		{Prefix: netip.MustParsePrefix("10.8.0.0/16"), Type: "unreachable", Namespace: "weft-blue", Origin: dataplane.FromRegistry},
	},
}
