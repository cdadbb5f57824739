package kernel

import (
	"testing"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

func TestAttachable(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	ns := testenv.Namespace(t)
	id, err := netns.ID(ns)
	if err != nil {
		t.Fatal(err)
	}
	port := func(at overlay.Attach) dataplane.Port { return dataplane.Port{Attach: at} }
	all := dataplane.Network{Ports: map[overlay.EndpointName]dataplane.Port{
		"there":    port(overlay.Attach{Type: overlay.AttachNetns, Target: ns, Identity: id.String()}),
		"replaced": port(overlay.Attach{Type: overlay.AttachNetns, Target: ns, Identity: "4:1:2"}),
		"gone":     port(overlay.Attach{Type: overlay.AttachNetns, Target: ns + "-gone", Identity: "4:1:2"}),
		"tap":      port(overlay.Attach{Type: overlay.AttachTap, Target: "vm1"}),
	}}
	n, away := attachable(all)
	if len(n.Ports) != 2 || len(away) != 2 || len(all.Ports) != 4 {
		t.Errorf("there %v, away %v: want there and tap; the state itself unchanged", n.Ports, away)
	}
}
