package control

import (
	"errors"

	"weft/internal/files"
	"weft/overlay"
	"weft/plan"
)

// choice is the plane that this node has for a network, and why it is that one.
type choice struct {
	Plane  overlay.PlaneName `json:"plane"`
	Reason string            `json:"reason"`
}

// choices are this node's, in a file: what was chosen once stays over restarts and
// upgrades, also of the kernel, until somebody says otherwise.
type choices struct {
	path string
	of   map[overlay.NetworkName]choice
}

// foundReason is why a network is on the plane on which it was before choices were recorded.
const foundReason = "auto: found so on this host"

// load reads the file. Networks that are on the host without being recorded stay on
// the plane on which they were found.
func (c *choices) load(found map[overlay.NetworkName]overlay.PlaneName) error {
	c.of = map[overlay.NetworkName]choice{}
	err := fromFile(c.path, &c.of)
	switch {
	case errors.Is(err, errDamaged):
		c.of = map[overlay.NetworkName]choice{}
	case err != nil:
		return err
	}
	for name, plane := range found {
		if _, recorded := c.of[name]; !recorded {
			c.of[name] = choice{plane, foundReason}
		}
	}
	return err
}

func (c *choices) save() error { return toFile(c.path, c.of) }

// recall loads what this node has chosen before, and holds the planner to it.
func (l *Loop) recall() error {
	err := l.choices.load(l.Found)
	if errors.Is(err, errDamaged) {
		aside, e := files.SetAside(l.choices.path)
		if e != nil {
			return errors.Join(err, e)
		}
		l.Log.Warn("which planes this node chose cannot be read; it is set aside, and networks stay as they are found", "err", err, "aside", aside)
		err = nil
	}
	for name, c := range l.choices.of {
		l.planner.Choose(name, c.Plane)
	}
	return err
}

// choose records the planes of networks that are new or on another plane, before the
// host is changed, and forgets networks in which this node has no part any more.
func (l *Loop) choose() {
	state, changed := l.planner.State(), false
	for name, n := range state.Networks {
		if l.choices.of[name].Plane == n.Plane {
			continue
		}
		_, why := l.asked(name)
		if self, ok := l.self(); ok && why == "" {
			why = plan.Why(self, n.Plane, l.specOf(name))
		}
		l.choices.of[name] = choice{n.Plane, why}
		l.planner.Choose(name, n.Plane)
		changed = true
	}
	for name := range l.choices.of {
		_, built := state.Networks[name]
		_, held := state.Held[name]
		if built || held || l.table.own[name] != nil {
			continue
		}
		delete(l.choices.of, name)
		l.planner.Choose(name, "")
		changed = true
	}
	if !changed {
		return
	}
	if err := l.choices.save(); err != nil {
		l.Log.Error("which planes this node chose cannot be written down; after a restart it may choose others", "err", err)
	}
}

// asked is the plane that somebody has said for a network on this node, and who.
func (l *Loop) asked(name overlay.NetworkName) (overlay.PlaneName, string) {
	if n, ok := l.networkNamed(name); ok && n.Spec.Complete().Plane != overlay.PlaneAuto {
		return n.Spec.Plane, "the network asks for it"
	}
	if self, ok := l.self(); ok && self.Spec.NetworkPlanes[name] != "" {
		return self.Spec.NetworkPlanes[name], "weft node migrate-plane"
	}
	return "", ""
}

// planeOf is the plane of a network on this node, why it is that one, and which would be
// chosen now, if that is another.
func (l *Loop) planeOf(name overlay.NetworkName) (plane overlay.PlaneName, why string, better overlay.PlaneName) {
	if plane, why := l.asked(name); plane != "" {
		return plane, why, ""
	}
	chosen, recorded := l.choices.of[name]
	if !recorded {
		return overlay.PlaneAuto, "none was chosen yet", ""
	}
	_, known := l.networkNamed(name)
	self, registered := l.self()
	if known && registered {
		if best, ok := plan.Best(self, l.specOf(name)); ok && best != chosen.Plane {
			better = best
		}
	}
	return chosen.Plane, chosen.Reason, better
}

// specOf is a network's, completed; zero if the network is not known.
func (l *Loop) specOf(name overlay.NetworkName) overlay.NetworkSpec {
	n, known := l.networkNamed(name)
	if !known {
		return overlay.NetworkSpec{}
	}
	return n.Spec.Complete()
}

func (l *Loop) networkNamed(name overlay.NetworkName) (*overlay.Network, bool) {
	n, ok := l.table.entries[overlay.Key{Kind: overlay.KindNetwork, Name: string(name)}].resource.(*overlay.Network)
	return n, ok
}
