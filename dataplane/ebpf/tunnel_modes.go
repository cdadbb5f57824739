package ebpf

import (
	"slices"

	"weft/overlay"
)

// TunnelModes are the modes of tunnels to peers that Weft does not manage which programs can
// do where [Probe] finds nothing missing, as TunnelMode.Over writes them; kernel are those
// that the kernel has links for. They need none of these, but for a vxlan link that unwraps
// what a card has put together.
func TunnelModes(kernel []string) (modes []string) {
	for _, m := range overlay.TunnelModes() {
		for _, f := range []overlay.Family{overlay.V4, overlay.V6} {
			lacking := m.HasVNI() && !slices.Contains(kernel, overlay.TunnelVXLAN.Over(f))
			if m != overlay.TunnelUDP && !lacking {
				modes = append(modes, m.Over(f))
			}
		}
	}
	return modes
}
