package course

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"

	"weft/bench"
	"weft/lab"
	"weft/overlay"
)

// mode is one of Weft's ways to carry a network.
type mode struct {
	plane  overlay.PlaneName
	kind   overlay.NetworkKind
	encaps overlay.Encapsulation
}

// modes are all of Weft's between hosts; the first is the one that goals are set for.
var modes = []mode{
	{overlay.PlaneEBPF, overlay.Bridged, overlay.EncapVXLAN},
	{overlay.PlaneEBPF, overlay.Bridged, overlay.EncapGeneve},
	{overlay.PlaneEBPF, overlay.Bridged, overlay.EncapGRE},
	{overlay.PlaneEBPF, overlay.Routed, overlay.EncapIPIP},
	{overlay.PlaneEBPF, overlay.Routed, overlay.EncapSIT},
	{overlay.PlaneEBPF, overlay.Routed, overlay.EncapNone},
	{overlay.PlaneKernel, overlay.Bridged, overlay.EncapVXLAN},
	{overlay.PlaneKernel, overlay.Routed, overlay.EncapNone},
}

// String is the mode's name in reports.
func (m mode) String() string { return fmt.Sprintf("Weft, %s, %s", m.plane, m.encaps) }

// network is what the mode's network is called.
func (m mode) network() string { return fmt.Sprintf("%s-%s", m.plane, m.encaps) }

// start runs Weft on two hosts.
func (g *ground) start(ctx context.Context) error {
	if _, err := g.weft.StartServer(ctx, g.Host("a")); err != nil {
		return err
	}
	token, err := g.weft.Token(ctx, g.Host("a"))
	if err != nil {
		return err
	}
	_, err = g.weft.StartAgent(ctx, g.Host("b"), token)
	return err
}

// weave makes the mode's network, the i-th, and joins two workloads by it.
func (m mode) weave(i int, first, second string) maker {
	name := m.network()
	return func(ctx context.Context, g *ground, _ Options) (way, error) {
		both, err := g.ends(name, first, second)
		if err != nil {
			return way{}, err
		}
		subnet := []string{"--subnet", fmt.Sprintf("10.%d.0.0/16", 100+i)}
		if m.encaps == overlay.EncapSIT { // IPv6 in IPv4, and nothing else
			subnet = []string{"--subnet6", fmt.Sprintf("fd00:%d::/48", 100+i)}
		}
		args := append([]string{"network", "create", name, "--plane", string(m.plane), "--kind", string(m.kind), "--encapsulation", string(m.encaps)}, subnet...)
		if _, err := g.weft.Run(ctx, g.Host("a"), args...); err != nil {
			return way{}, err
		}
		var address netip.Addr
		for n, e := range both {
			if address, err = attach(ctx, g.weft, e, name, fmt.Sprintf("%s-%d", name, n)); err != nil {
				return way{}, err
			}
		}
		return both.way(m.String(), bench.Ours, address), nil
	}
}

// attach attaches a workload and returns its address.
func attach(ctx context.Context, weft *lab.Weft, e end, network, name string) (netip.Addr, error) {
	out, err := weft.Run(ctx, e.host, "endpoint", "attach", network, "--netns", e.workload.Path(), "--name", name, "-o", "json")
	if err != nil {
		return netip.Addr{}, err
	}
	var made struct {
		Endpoint overlay.Endpoint `json:"endpoint"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		return netip.Addr{}, fmt.Errorf("attach %s: read the answer: %w", name, err)
	}
	if len(made.Endpoint.Spec.Addresses) == 0 {
		return netip.Addr{}, fmt.Errorf("attach %s: it got no address", name)
	}
	return made.Endpoint.Spec.Addresses[0], nil
}
