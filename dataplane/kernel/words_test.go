package kernel

import (
	"context"
	"errors"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
)

// A port that cannot be made is left out, with one clear error; all else is as wanted.
func TestPortThatCannotBeMade(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		to      overlay.AttachType
		target  string
		before  string
		want    string
		private bool // before is done in the workload's namespace
	}{
		"interface taken": {overlay.AttachNetns, "", "ip link add eth0 type veth peer name x0", "has an interface eth0 already", true},
		"veth taken":      {overlay.AttachVeth, "web0", "ip link add web0 type veth peer name x0", "this host has an interface web0 already", false},
		"tap taken":       {overlay.AttachTap, "tap0", "ip tuntap add dev tap0 mode tap", "this host has a device tap0 already", false},
		"no tap":          {overlay.AttachTap, "tap0", "ip link add tap0 type bridge", "this host has a device tap0 already", false},
		"no bridge":       {overlay.AttachBridge, "virbr0", "true", "there is no bridge virbr0 on this host", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newTestNet(t, 2, overlay.Bridged, overlay.V4)
			h := n.bed.hosts[0]
			s := n.state(0)
			net := s.Networks["blue"]
			good := net.Ports["e0"]
			good.Name, good.Device, good.MAC = "good", "wgood", overlay.MAC{2, 0, 0, 0, 0, 0x55}
			good.Addresses = good.Addresses[:0:0]
			good.Attach.Target = testenv.Namespace(t)
			net.Ports["good"] = good
			if c.to != overlay.AttachNetns {
				attached(c.to, c.target)(&net)
			}
			ns := h.ns
			if c.private {
				ns = n.workloads[0]
			}
			testenv.Run(t, ns, strings.Fields(c.before)...)
			before := testenv.Output(t, ns, "ip", "-br", "link")
			err := h.plane.Apply(context.Background(), s, nil)
			var failed *PortError
			if !errors.As(err, &failed) || failed.Port != "e0" || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			if after := testenv.Output(t, ns, "ip", "-br", "link"); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
			delete(net.Ports, "e0")
			h.plane.want = s
			h.settled()
		})
	}
}

// Two networks of a host cannot have one VNI and port: the second says so.
func TestTunnelThatIsTaken(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 1, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	h.run("ip", "link", "add", "theirs", "type", "vxlan", "id", n.spec.VNI.String(), "dstport", "4789", "local", "192.0.2.1")
	err := h.plane.Apply(context.Background(), n.state(0), nil)
	if err == nil || !strings.Contains(err.Error(), "another vxlan device on this host has VNI 4097 on port 4789") {
		t.Errorf("error %v", err)
	}
}
