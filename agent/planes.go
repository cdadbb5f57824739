package agent

import "weft/overlay"

// planes are those that run here, best first.
func (o Options) planes() []overlay.PlaneName {
	if o.noPrograms == nil {
		return []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel}
	}
	return []overlay.PlaneName{overlay.PlaneKernel}
}

// lacks says of the planes that do not run here why not.
func (o Options) lacks() map[overlay.PlaneName]string {
	if o.noPrograms == nil {
		return nil
	}
	return map[overlay.PlaneName]string{overlay.PlaneEBPF: o.noPrograms.Error()}
}
