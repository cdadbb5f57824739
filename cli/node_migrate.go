package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"weft/api"
	"weft/overlay"
	"weft/store"
)

func newNodeMigratePlane(a *app) *cobra.Command {
	var to overlay.PlaneName
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "migrate-plane NODE [NETWORK...] --to PLANE",
		Short: "Take networks on a node to the other plane",
		Long: `Take networks on a node to the other plane: those that are named, or all on the node that
leave the choice to their nodes (plane auto). What forwards there is made ready beside
what forwards now, then traffic goes over to it, and only then the old is taken away:
connections stay. The command returns when the node has reported that it is done, and
says how it went. A node that cannot do it is refused, and nothing changes.

The choice holds on this node until it is made again. A network that names a plane
(weft network create --plane) has it on all its nodes; change that with "weft apply".`,
		Example: `  weft node migrate-plane a --to ebpf
  weft node migrate-plane a blue green --to kernel
  weft node migrate-plane a blue --to ebpf --wait 5m`,
		SuggestFor: []string{"migrate", "plane"},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return a.completeNode(cmd, args, word)
			}
			return a.names(cmd.Context(), overlay.KindNetwork, args[1:]), noFiles
		},
	}
	cmd.Flags().Var(choice(&to, overlay.PlaneEBPF, overlay.PlaneKernel), "to", "the plane")
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "how long the node has for it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if to == "" {
			return usagef(cmd, "--to is missing; want --to ebpf or --to kernel")
		}
		server, err := a.server(cmd.Context())
		if err != nil {
			return err
		}
		m := migration{app: a, server: server, node: overlay.Key{Kind: overlay.KindNode, Name: args[0]}, to: to}
		if err := m.choose(cmd.Context(), args[1:]); err != nil {
			return err
		}
		return m.await(cmd.Context(), wait)
	}
	return cmd
}

// migration takes networks on a node to a plane.
type migration struct {
	*app
	server *api.Client
	node   overlay.Key
	to     overlay.PlaneName
	began  time.Time
	// moving are the networks of which the node has still to report.
	moving []overlay.NetworkName
}

// choose writes the choice into the node's record, if the node can do all that is asked.
func (m *migration) choose(ctx context.Context, names []string) error {
	for range applyTries {
		r, err := m.server.Get(ctx, m.node)
		if err != nil {
			return err
		}
		next := *r.(*overlay.Node)
		if m.moving, err = m.pick(ctx, &next, names); err != nil {
			return err
		}
		if len(m.moving) == 0 {
			return m.say("nothing to do: no network on node %s is on another plane than %s", next.Name, m.to)
		}
		if next.Spec.NetworkPlanes = maps.Clone(next.Spec.NetworkPlanes); next.Spec.NetworkPlanes == nil {
			next.Spec.NetworkPlanes = map[overlay.NetworkName]overlay.PlaneName{}
		}
		for _, name := range m.moving {
			next.Spec.NetworkPlanes[name] = m.to
		}
		m.began = time.Now()
		_, _, err = m.server.Update(ctx, store.Change{Put: &next, Expect: next.Revision})
		if conflict := (*store.ConflictError)(nil); errors.As(err, &conflict) {
			continue
		}
		return err
	}
	return fmt.Errorf("%s: others keep changing it; try again", m.node)
}

// pick says which networks are to be moved: the named ones, or all that may be.
func (m *migration) pick(ctx context.Context, n *overlay.Node, names []string) ([]overlay.NetworkName, error) {
	if !slices.Contains(n.Spec.Planes, m.to) {
		return nil, withCode(exitConflict, "node %s does not have plane %s: %s", n.Name, m.to, first(n.Spec.Lacks[m.to], "it has not reported it"))
	}
	all := len(names) == 0
	if all {
		for _, r := range n.Status.Networks {
			names = append(names, string(r.Network))
		}
	}
	var moving []overlay.NetworkName
	for _, name := range names {
		r, err := m.server.Get(ctx, overlay.Key{Kind: overlay.KindNetwork, Name: name})
		if err != nil {
			return nil, err
		}
		there, err := m.has(ctx, n, overlay.NetworkName(name))
		if err != nil {
			return nil, err
		}
		if !there {
			return nil, withCode(exitNotFound, "network %s has nothing on node %s; weft node show %[2]s lists its networks", name, n.Name)
		}
		switch why := m.refused(n, r.(*overlay.Network)); {
		case why != "" && !all:
			return nil, withCode(exitConflict, "%s", why)
		case why != "":
			if err := m.say("%s: stays: %s", name, why); err != nil {
				return nil, err
			}
		case m.isOn(n, overlay.NetworkName(name)):
			if err := m.say("%s: is on %s", name, m.to); err != nil {
				return nil, err
			}
		default:
			moving = append(moving, overlay.NetworkName(name))
		}
	}
	return moving, nil
}

// has reports whether a network has an endpoint on the node, which may not have reported
// it yet.
func (m *migration) has(ctx context.Context, n *overlay.Node, name overlay.NetworkName) (bool, error) {
	if _, reported := reportOf(n, name); reported {
		return true, nil
	}
	there, _, err := m.server.List(ctx, overlay.KindEndpoint, name, overlay.NodeName(n.Name))
	return len(there) > 0, err
}

// isOn reports whether a network is on the plane, and nobody has said otherwise since.
func (m *migration) isOn(n *overlay.Node, name overlay.NetworkName) bool {
	r, reported := reportOf(n, name)
	return reported && r.Plane == m.to && cmp.Or(n.Spec.NetworkPlanes[name], m.to) == m.to
}

// reportOf is what a node reports of a network.
func reportOf(n *overlay.Node, name overlay.NetworkName) (overlay.NetworkReport, bool) {
	at := slices.IndexFunc(n.Status.Networks, func(r overlay.NetworkReport) bool { return r.Network == name })
	if at < 0 {
		return overlay.NetworkReport{}, false
	}
	return n.Status.Networks[at], true
}

// refused says why a network cannot be on the plane on this node.
func (m *migration) refused(n *overlay.Node, network *overlay.Network) string {
	spec := network.Spec.Complete()
	switch {
	case spec.Plane != overlay.PlaneAuto:
		return fmt.Sprintf("network %s names plane %s, for all its nodes; change that with weft apply", network.Name, spec.Plane)
	case !m.to.Carries(spec.Encapsulation):
		return fmt.Sprintf("plane %s does not do network %s's encapsulation %s", m.to, network.Name, spec.Encapsulation)
	case m.to == overlay.PlaneKernel && n.NoDevice(spec) != "":
		return fmt.Sprintf("plane %s cannot carry network %s on node %s: %s", m.to, network.Name, n.Name, n.NoDevice(spec))
	}
	return ""
}

// pollEvery is how often the node's report is looked at.
const pollEvery = 100 * time.Millisecond

// await says of each network how it went, when the node has reported it.
func (m *migration) await(ctx context.Context, wait time.Duration) error {
	for _, name := range m.moving {
		if err := m.say("%s: to %s on node %s", name, m.to, m.node.Name); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	last := map[overlay.NetworkName]overlay.NetworkReport{}
	for len(m.moving) > 0 {
		r, err := m.server.Get(ctx, m.node)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if n, ok := r.(*overlay.Node); ok {
			for _, report := range n.Status.Networks {
				last[report.Network] = report
			}
		}
		if err := m.tell(last); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return m.missed(last, wait)
		}
	}
	return nil
}

// tell says of networks that they are on the plane, whole.
func (m *migration) tell(last map[overlay.NetworkName]overlay.NetworkReport) (err error) {
	m.moving = slices.DeleteFunc(m.moving, func(name overlay.NetworkName) bool {
		r := last[name]
		done := r.Plane == m.to && matches(r)
		if done && err == nil {
			err = m.say("%s: on %s, %d of %d present, after %s", name, r.Plane, r.Present, r.Wanted, time.Since(m.began).Round(pollEvery))
		}
		return done
	})
	return err
}

// missed says what the node last reported of the networks that are not there yet.
func (m *migration) missed(last map[overlay.NetworkName]overlay.NetworkReport, wait time.Duration) error {
	name := m.moving[0]
	what := "it has not reported since; it goes on when its agent runs"
	if r := last[name]; r.Plane == m.to && len(r.Differs) > 0 {
		what = r.Differs[0]
	}
	return fmt.Errorf("network %s is not on plane %s of node %s after %s: %s; weft status says more", name, m.to, m.node.Name, wait, what)
}

func (m *migration) say(format string, args ...any) error {
	_, err := fmt.Fprintf(m.stdout, format+"\n", args...)
	return err
}
