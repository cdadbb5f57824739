package agent

import "weft/overlay"

// planes are those that run here, best first.
func (o Options) planes() []overlay.PlaneName {
	planes := []overlay.PlaneName{overlay.PlaneKernel}
	if o.noPrograms == nil {
		planes = []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel}
	}
	if o.noForwarder == nil {
		planes = append(planes, overlay.PlaneUser)
	}
	return planes
}

// lacks says of the planes that do not run here why not.
func (o Options) lacks() map[overlay.PlaneName]string {
	lacks := map[overlay.PlaneName]string{}
	for p, why := range map[overlay.PlaneName]error{overlay.PlaneEBPF: o.noPrograms, overlay.PlaneUser: o.noForwarder} {
		if why != nil {
			lacks[p] = why.Error()
		}
	}
	return lacks
}
