package agent

import (
	"context"
	"fmt"

	"weft/dataplane/ebpf"
	"weft/dataplane/kernel"
	"weft/overlay"
)

// probeTunnels finds out which modes of tunnels to strangers each plane can do here.
func (o Options) probeTunnels(ctx context.Context) (map[overlay.PlaneName][]string, error) {
	modes, err := kernel.TunnelModes(ctx)
	if err != nil {
		return nil, fmt.Errorf("find out which tunnels the kernel has: %w", err)
	}
	all := map[overlay.PlaneName][]string{overlay.PlaneKernel: modes}
	if o.noPrograms == nil {
		all[overlay.PlaneEBPF] = ebpf.TunnelModes(modes)
	}
	if o.noForwarder == nil {
		all[overlay.PlaneUser] = []string{overlay.TunnelUDP.Over(overlay.V4), overlay.TunnelUDP.Over(overlay.V6)}
	}
	return all, nil
}
