package nft

import (
	"testing"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
)

func TestScript(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]Ruleset{
		"bridged":       Domain(network(overlay.Bridged, overlay.V4, withSegment)),
		"routed":        Domain(network(overlay.Routed, overlay.V4)),
		"routed-tunnel": Domain(network(overlay.Routed, overlay.V4, withTunnel)),
		"ebpf-tunnel":   Domain(network(overlay.Routed, overlay.V4, withTunnel, onPrograms)),
		"routed-empty":  Domain(network(overlay.Routed, overlay.V4, withoutPorts)),
		"host": hosts(
			network(overlay.Bridged, overlay.V4, withMember(3)),
			network(overlay.Bridged, overlay.V6, named("red", 4098))),
		"host-programs": hosts(
			network(overlay.Bridged, overlay.V4), network(overlay.Bridged, overlay.V4, named("red", 4098), onPrograms),
			network(overlay.Bridged, overlay.V6, named("green", 4099), onPrograms)),
		"host-direct": hosts(network(overlay.Routed, overlay.V4, routes(true, 2, 3), none)),
		"host-mixed": hosts(network(overlay.Routed, overlay.V4, routes(true, 2), func(n *dataplane.Network) {
			for prefix, r := range n.Routes {
				if prefix.Addr().Is6() {
					r.Direct = false
					n.Routes[prefix] = r
				}
			}
		})),
		"host-nothing": hosts(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testenv.Golden(t, "script/"+name+".nft", Script(Diff(r, nil)))
		})
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	blue := network(overlay.Bridged, overlay.V4)
	red := network(overlay.Bridged, overlay.V4, named("red", 4098))
	more := endpoint(2)
	moved := endpoint(1)
	moved.Allowed = append(moved.Allowed[:1:1], moved.MAC.LinkLocal())
	for name, c := range map[string]struct{ from, to Ruleset }{
		"nothing":        {Domain(blue), Domain(blue)},
		"port":           {Domain(blue), Domain(network(overlay.Bridged, overlay.V4, withPort(more)))},
		"port-gone":      {Domain(network(overlay.Bridged, overlay.V4, withPort(more))), Domain(blue)},
		"address-gone":   {Domain(blue), Domain(network(overlay.Bridged, overlay.V4, withPort(moved)))},
		"routed-port":    {Domain(network(overlay.Routed, overlay.V4)), Domain(network(overlay.Routed, overlay.V4, withPort(more)))},
		"bridged-routed": {Domain(blue), Domain(network(overlay.Routed, overlay.V4))},
		"member":         {hosts(blue), hosts(network(overlay.Bridged, overlay.V4, withMember(3)))},
		"network":        {hosts(blue), hosts(blue, red)},
		"network-gone":   {hosts(blue, red), hosts(blue)},
		"vni":            {hosts(blue), hosts(network(overlay.Bridged, overlay.V4, named("blue", 5000)))},
		"family":         {hosts(blue), hosts(network(overlay.Bridged, overlay.V6))},
		"plane":          {hosts(blue), hosts(network(overlay.Bridged, overlay.V4, onPrograms))},
		"direct-gone": {
			hosts(network(overlay.Routed, overlay.V4, routes(true, 2, 3), none)),
			hosts(network(overlay.Routed, overlay.V4, routes(true, 2), none)),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testenv.Golden(t, "diff/"+name+".nft", Script(Diff(c.to, c.from)))
		})
	}
}
