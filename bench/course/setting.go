package course

import (
	"context"
	"fmt"
	"slices"
)

// setting is what the hosts' network interfaces do to packets.
type setting struct {
	id, name, about string
	segments, gro   string // on or off
	held            bool   // to the targets
}

var settings = []setting{
	{"on", "offloads on", "super-packets of up to 64 KB cross the cable whole", "on", "off", true},
	{"off", "offloads off", "packets of the MTU on the cable, which nobody puts together again", "off", "off", false},
	{"nic", "nic", "packets of the MTU on the cable, which the receiver puts together (GRO), as with a plain network card", "off", "on", true},
}

// segmentation is what of it ethtool -K can switch for a veth device. With all of it off,
// packets are cut before they enter the cable.
var segmentation = []string{
	"tso", "gso", "tx-udp-segmentation", "tx-gre-segmentation", "tx-gre-csum-segmentation",
	"tx-ipxip4-segmentation", "tx-ipxip6-segmentation", "tx-udp_tnl-segmentation", "tx-udp_tnl-csum-segmentation",
}

// apply makes the setting that of all hosts' interfaces.
func (s setting) apply(ctx context.Context, g *ground) error {
	argv := []string{"ethtool", "-K", "eth0", "gro", s.gro}
	for _, feature := range segmentation {
		argv = append(argv, feature, s.segments)
	}
	for _, h := range g.Hosts() {
		if _, err := h.Run(ctx, argv...); err != nil {
			return fmt.Errorf("switch offloads: %w", err)
		}
	}
	return nil
}

// wanted are the settings that are asked for.
func (o *Options) settings() []setting {
	return slices.DeleteFunc(slices.Clone(settings), func(s setting) bool { return !o.wants(s.id) })
}
