package kernel

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"weft/dataplane"
	"weft/dataplane/nft"
	"weft/overlay"
)

// barred notes of each tunnel that stands alone and leads to prefixes which chains of the host's
// firewall drop what passes between it and other interfaces. Weft opens none of them: a network's
// packets have a way past them (nft.Direct) as they are between its own endpoints, and whom a
// stranger behind a tunnel may reach is for the host's administrator to say.
func (p *Plane) barred(h *hand, views map[overlay.TunnelName]dataplane.NetworkView) error {
	for _, v6 := range []bool{false, true} {
		leading := p.leading(v6, views)
		if len(leading) == 0 {
			continue
		}
		rules, err := h.filters(Host)
		if err != nil {
			return err
		}
		devices := slices.Sorted(maps.Values(leading))
		barriers, err := rules.Barriers(v6, devices)
		if err != nil {
			return fmt.Errorf("read the host's filters: %w", err)
		}
		for name, device := range leading {
			v := views[name]
			for _, b := range barriers[device] {
				v.Notes = append(v.Notes, barredText(device, b))
			}
			views[name] = v
		}
	}
	return nil
}

// leading are the devices of the tunnels that have routes of a version of IP.
func (p *Plane) leading(v6 bool, views map[overlay.TunnelName]dataplane.NetworkView) map[overlay.TunnelName]string {
	leading := map[overlay.TunnelName]string{}
	for name := range views {
		s := p.want.Tunnels[name].Spec
		if slices.ContainsFunc(s.Routes, func(r overlay.TunnelRoute) bool { return r.Prefix.Addr().Is6() == v6 }) {
			leading[name] = s.Device
		}
	}
	return leading
}

func barredText(device string, b nft.Barrier) string {
	return fmt.Sprintf("what this host routes between %s and other interfaces may be dropped by %s, as no rule names %[1]s in both directions; to let it pass: %[3]s",
		device, b, strings.Join(b.Opening(device), " && "))
}
