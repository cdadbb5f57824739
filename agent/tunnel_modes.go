package agent

import (
	"context"
	"fmt"

	"weft/dataplane/kernel"
	"weft/overlay"
)

// probeTunnels finds out which modes of tunnels to strangers each plane can do here.
func probeTunnels(ctx context.Context) (map[overlay.PlaneName][]string, error) {
	modes, err := kernel.TunnelModes(ctx)
	if err != nil {
		return nil, fmt.Errorf("find out which tunnels the kernel has: %w", err)
	}
	return map[overlay.PlaneName][]string{overlay.PlaneKernel: modes}, nil
}
