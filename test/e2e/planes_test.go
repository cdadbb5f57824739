package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
)

// TestPlanes: networks on the kernel plane and on the eBPF plane stand side by side on one
// UDP port, over both families of the underlay and across the router; each works as the
// other does, and weft shows what is there. A network that goes from one plane to the
// other and back leaves nothing on either.
func TestPlanes(t *testing.T) {
	t.Parallel()
	s := begin(t)
	all := map[string]network{}
	for i, kind := range kinds {
		for j, underlay := range families {
			// So that each kind comes to be on the eBPF plane over each family.
			plane := planes[(i+j)%2]
			number, name := 10*i+j, fmt.Sprintf("%.1s-over-%s", kind, underlay)
			s.a.weft("network create %s --kind %s --underlay %s --plane %s --subnet 10.%d.0.0/16 --subnet6 fd00:%d::/48", name, kind, underlay, plane, number, number)
			all[name] = network{t, kind, defaultMTU - overhead[underlay], s.attachEverywhere(name)}
		}
	}
	s.settled()
	for _, n := range all {
		n.reachesAll()
		n.reachesGateways()
		n.carriesTheLargest()
	}
	s.shows("b-over-v6", "r-over-v4")
	for _, plane := range []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel} {
		for _, name := range []string{"b-over-v4", "r-over-v6"} {
			s.changePlane(name, plane)
			all[name].reachesAll()
			all[name].carriesTheLargest()
		}
		s.settled()
	}
	for name := range all {
		for _, h := range s.hosts() {
			h.weft("endpoint detach %s/%s-%s", name, name, h.Name())
		}
	}
	for _, h := range s.hosts() {
		testenv.Eventually(t, patience, h.bare, "host "+h.Name()+" has nothing left of the networks")
	}
}

// changePlane has a network forwarded by another plane, and returns when every host does.
func (s *session) changePlane(network string, to overlay.PlaneName) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "network.yaml")
	var lines []string
	for line := range strings.Lines(s.a.weft("network show %s -o yaml", network)) {
		if strings.HasPrefix(line, "  plane: ") {
			line = fmt.Sprintf("  plane: %s\n", to)
		}
		lines = append(lines, line)
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "")), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.a.weft("apply -f %s", file)
	for _, h := range s.hosts() {
		testenv.Eventually(s.t, patience, func() error { return h.isOn(network, to) }, network+" is on plane "+string(to))
	}
}

// isOn returns nil if a network is on the plane, whole, and nothing of it on the other.
func (h *host) isOn(network string, plane overlay.PlaneName) error {
	var nodes []struct{ Networks []overlay.NetworkReport }
	h.read(&nodes, "status --local")
	for _, n := range nodes[0].Networks {
		if string(n.Network) == network && (n.Plane != plane || n.Present != n.Wanted || len(n.Differs) > 0) {
			return fmt.Errorf("%+v", n)
		}
	}
	var links []struct{ Device, Type string }
	h.read(&links, "link %s", network)
	for _, l := range links {
		if programs := strings.HasPrefix(l.Device, "wfgw"); programs != (plane == overlay.PlaneEBPF) && (programs || l.Device == "vx0") {
			return fmt.Errorf("%s has %s on plane %s", network, l.Device, plane)
		}
	}
	return nil
}

// bare returns nil if no device, program or namespace of any network is on the host.
func (h *host) bare() error {
	var left []string
	for _, dir := range []string{"run/netns", "run/bpf/links"} {
		files, err := os.ReadDir(filepath.Join(h.Dir(), dir))
		if err != nil {
			return err
		}
		for _, f := range files {
			left = append(left, filepath.Join(dir, f.Name()))
		}
	}
	for line := range strings.Lines(testenv.Output(h.s.t, h.Path(), "ip", "-o", "link")) {
		if strings.Contains(line, ": wf") {
			left = append(left, line)
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("left: %q", left)
	}
	return nil
}

// shows fails the test unless what weft shows of networks on the eBPF plane is what is
// there: of a bridged one, and of a routed one.
func (s *session) shows(bridged, routed string) {
	s.t.Helper()
	for _, tt := range []struct {
		command string
		words   []string
	}{
		{"status --local -o wide", []string{bridged, "ebpf", "the network asks for it", "matches"}},
		{"link " + bridged, []string{"wfvx", "vxlan", "2001:db8:1::11", "2001:db8:1::12, 2001:db8:2::13", "4789"}},
		{"link " + bridged, []string{"wfgw", "veth", "host", "up"}},
		{"link " + bridged, []string{"gw0", "veth", "weft-" + bridged}},
		{"fdb " + bridged, []string{bridged + "-a", "wf", "registry"}},
		{"fdb " + bridged, []string{"00:00:00:00:00:00", "c", "2001:db8:2::13", "wfvx", "registry"}},
		{"neigh " + bridged, []string{"10.1.0.1", "permanent", "registry"}},
		{"route " + routed + " -o wide", []string{"wfvx", "c", "registry", "bpf"}},
		{"explain " + bridged, []string{"# network " + bridged + " is on plane ebpf"}},
		{"explain " + bridged, []string{"type bridge"}},
	} {
		if err := saysAll(s.a.weft("%s", tt.command), tt.words...); err != nil {
			s.t.Errorf("weft %s: %v", tt.command, err)
		}
	}
}

// isOn fails the test unless weft says of a network, on every host and in each of its ways,
// on which plane it is and why.
func (s *session) isOn(network string, plane overlay.PlaneName, why string) {
	s.t.Helper()
	s.settled()
	for _, h := range s.hosts() {
		for command, words := range map[string][]string{
			"status":                  {network, string(plane), why},
			"network show " + network: {h.Name() + ": " + string(plane) + " (" + why + ")"},
			"node show " + h.Name():   {network + ": on " + string(plane) + " (" + why + ")"},
		} {
			testenv.Eventually(s.t, patience, func() error { return saysAll(h.weft("%s", command), words...) }, "weft "+command)
		}
	}
}
