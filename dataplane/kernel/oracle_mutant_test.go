package kernel

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// TestExplainNeedsEveryWord shows that the oracle can see: each command is dropped, and
// each of its words altered, one at a time, on a fresh host each, and then the commands
// fail, or the host is not as the plane makes it. Not so the harmless.
func TestExplainNeedsEveryWord(t *testing.T) {
	t.Parallel()
	states := mutatedStates()
	plan, err := planMutants(states)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range states {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			want := s.byPlane(t)
			commands := s.template()
			for _, trial := range trials {
				if err := s.byHand(t, trial.of(commands), want, trial.tools); err != nil {
					t.Fatalf("unaltered: %v", err)
				}
			}
			var workers errgroup.Group
			workers.SetLimit(mutantsAtOnce)
			for _, m := range plan[i] {
				workers.Go(func() error {
					t.Run(m.String(), func(t *testing.T) {
						trial, err := trialFor(m.was)
						if err != nil {
							t.Fatal(err)
						}
						err = s.byHand(t, trial.of(m.in(commands)), want, trial.tools)
						switch why := m.harmless(); {
						case err == nil && why == "":
							t.Error("makes no difference")
						case err != nil && why != "":
							t.Errorf("should make no difference (%s), but: %v", why, err)
						}
					})
					return nil
				})
			}
			if err := workers.Wait(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// mutantsAtOnce is more than there are CPUs: they wait for the kernel, too.
const mutantsAtOnce = 4

// mutatedState is a State, small, as all its commands are run for each that is altered.
type mutatedState struct {
	name string
	oracleState
}

// mutatedStates have all kinds of commands among them.
func mutatedStates() []mutatedState {
	state := func(kind overlay.NetworkKind, underlay overlay.Family, edits ...func(*dataplane.Network)) oracleState {
		return oracleState{kind: kind, underlay: underlay, edits: edits}
	}
	return []mutatedState{
		{"bridged", state(overlay.Bridged, overlay.V4, vacant("c"))},
		{"ports", state(overlay.Bridged, overlay.V4, only(overlay.V4), without("b"), without("c"), bumNone, allPorts, publishing, withoutPort("e0"))},
		{"over v6", state(overlay.Bridged, overlay.V6, only(overlay.V4), without("c"), noPorts)},
		{"routed", state(overlay.Routed, overlay.V4, without("c"))},
		{"direct", state(overlay.Routed, overlay.V4, without("c"), directTo("b"), noPorts)},
		{"tunnel", state(overlay.Bridged, overlay.V4, only(overlay.V4), without("b"), without("c"), noPorts).with(vxlanTunnel())},
		{"tunnel over v6", state(overlay.Bridged, overlay.V4, only(overlay.V4), without("b"), without("c"), noPorts).with(vxlanTunnel6())},
	}
}

// vacant is a node that stays a member without any endpoint.
func vacant(node overlay.NodeName) func(*dataplane.Network) {
	return func(n *dataplane.Network) {
		member := n.Members[node]
		for mac, at := range n.Remotes {
			if at != node {
				continue
			}
			for ip, m := range n.Neighbors {
				if m == mac {
					delete(n.Neighbors, ip)
				}
			}
		}
		without(node)(n)
		n.Members[node] = member
	}
}

func withoutPort(e overlay.EndpointName) func(*dataplane.Network) {
	return func(n *dataplane.Network) { delete(n.Ports, e) }
}

// template are the commands for the State, with a workload's namespace that is called
// workload.
func (s mutatedState) template() []string {
	h := &oracleHost{state: s.state(), workload: netns.Named("workload")}
	h.settle("blue")
	h.dir = netns.Dir
	return h.explain()
}

// byPlane is what each tool shows of a host that the plane made.
func (s mutatedState) byPlane(t *testing.T) map[string]dump {
	h := newOracleHost(t, s.oracleState, false)
	h.apply()
	d, err := newDumper(h, whileSettling)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]dump{}
	for _, tool := range allMutantTools {
		if shown[tool.name], err = d.dump(tool); err != nil {
			t.Fatal(err)
		}
	}
	return shown
}

// byHand has commands make a host, and says how they failed, or what one of the tools
// shows of it that is not as wanted.
func (s mutatedState) byHand(t *testing.T, commands []string, want map[string]dump, tools []tool) error {
	h := newOracleHost(t, s.oracleState, true)
	own := strings.NewReplacer(domainPrefix+"blue", filepath.Base(h.domain), "workload", filepath.Base(h.workload))
	if err := h.runFast(strings.Split(own.Replace(strings.Join(commands, "\n")), "\n")); err != nil {
		return err
	}
	d, err := newDumper(h, whileSettling)
	if err != nil {
		return err
	}
	for _, tool := range tools {
		got, err := d.dump(tool)
		if err == nil {
			err = want[tool.name].difference(got)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// trial is how to find out what a command is for.
type trial struct {
	// commands that it is for, and those that they stand on.
	commands, need *regexp.Regexp
	tools          []tool
}

// trials are all; a command has the first that is for it.
var trials = []trial{
	{regexp.MustCompile(`nft '`), regexp.MustCompile(`^ip (netns|link|tuntap) add |nft '`), []tool{nftTool}},
	{regexp.MustCompile(`sysctl -qw`), regexp.MustCompile(`^ip (netns|link|tuntap) add |sysctl -qw`), []tool{settingsTool}},
	{regexp.MustCompile(`^tc `), regexp.MustCompile(`^(ip|bridge) |^tc `), []tool{tcTool}},
	{regexp.MustCompile(`^bridge `), regexp.MustCompile(`^(ip|bridge) `), []tool{bridgeTool, ipTool}},
	{regexp.MustCompile(`^ip `), regexp.MustCompile(`^(ip|bridge) `), []tool{ipTool, bridgeTool}},
}

func trialFor(command string) (trial, error) {
	for _, t := range trials {
		if t.commands.MatchString(command) {
			return t, nil
		}
	}
	return trial{}, fmt.Errorf("oracle_mutant_test.go has no trial for: %s", command)
}

// of leaves out the commands that the trial does not need.
func (t trial) of(commands []string) []string {
	return slices.DeleteFunc(slices.Clone(commands), func(c string) bool { return !t.need.MatchString(c) })
}

var (
	// settingsTool reads those that Weft sets, and none that only a link as Weft sets it has.
	settingsTool = tool{name: "sysctl", text: true, command: []string{
		"sysctl", "-a", "--pattern", `^net\.(ipv4\.ip_forward$|ipv[46]\.conf\.(all|default|far0)\.|ipv6\.conf\..*\.disable_ipv6$)`,
	}}
	allMutantTools = []tool{ipTool, bridgeTool, tcTool, nftTool, settingsTool}
	whileSettling  = slices.Concat(incidental, background)
)

// inBatch are commands that can be run with others like them by one process: what has
// a namespace or none, a tool, and words for it. (ip -n makes a mount namespace each
// time, which takes longer than all else.)
var inBatch = regexp.MustCompile(`^(?:nsenter --net=(\S+) )?(ip|bridge|sysctl|nft)(?: -n (\S+))? ((?:link|address|neigh|route|fdb|-qw) [^&]*|'.*')$`)

// runFast runs commands with as few processes as can be, in their order.
func (h *oracleHost) runFast(commands []string) error {
	for len(commands) > 0 {
		var batch []string
		var path, tool string
		for _, c := range commands {
			m := inBatch.FindStringSubmatch(c)
			if m == nil {
				break
			}
			at := cmp.Or(m[1], h.ns)
			if m[3] != "" {
				at = netns.Named(m[3])
			}
			if len(batch) > 0 && (at != path || m[2] != tool) {
				break
			}
			path, tool, batch = at, m[2], append(batch, m[4])
		}
		var err error
		switch {
		case batch == nil:
			batch = commands[:1]
			_, err = feed(h.ns, "", "sh", "-c", commands[0])
		case tool == "sysctl":
			_, err = feed(path, "", append([]string{tool}, strings.Fields(strings.Join(batch, " "))...)...)
		case tool == "nft":
			_, err = feed(path, strings.ReplaceAll(strings.Join(batch, "\n"), "'", "")+"\n", tool, "-f", "-")
		default:
			_, err = feed(path, strings.Join(batch, "\n")+"\n", tool, "-batch", "-")
		}
		if err != nil {
			return fmt.Errorf("%q: %w", batch, err)
		}
		commands = commands[len(batch):]
	}
	return nil
}

// planMutants are the mutants of each State. Commands that are alike but for addresses,
// numbers and MACs are all dropped; one of them is altered, or in the long run each.
func planMutants(states []mutatedState) ([][]mutant, error) {
	plan := make([][]mutant, len(states))
	seen, long := map[string]bool{}, testenv.Rounds(0, 1) > 0
	for i, s := range states {
		for j, command := range s.template() {
			all, err := mutantsOf(j, command)
			if err != nil {
				return nil, err
			}
			for _, m := range all {
				key := m.String()
				if !long {
					key = m.likeness()
				}
				if !seen[key] {
					seen[key] = true
					plan[i] = append(plan[i], m)
				}
			}
		}
	}
	return plan, stale(slices.Concat(plan...))
}
