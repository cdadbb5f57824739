package e2e

import (
	"fmt"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// TestCounters: what ports and nodes have sent is counted by who it was, what was dropped is
// shown with its reason; both are seen where people look.
func TestCounters(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.a.weft("network create blue --vni 7007 --subnet 10.7.0.0/24 --plane ebpf")
	from, to := s.a.attach("blue"), s.b.attach("blue")
	s.settled()
	s.pings(from.Namespace, to.address(overlay.V4).String())
	var seen struct {
		Ports []struct {
			Endpoint string
			overlay.Traffic
		}
		Nodes []struct {
			Node    string
			Traffic overlay.Traffic
		}
	}
	s.a.read(&seen, "traffic blue")
	for _, p := range seen.Ports {
		if p.Endpoint != "" && (p.From.Packets == 0 || p.To.Packets == 0 || p.From.Bytes < 98) {
			t.Errorf("port %s: %v", p.Endpoint, p.Traffic)
		}
	}
	if len(seen.Nodes) == 0 || seen.Nodes[0].Node != "b" || seen.Nodes[0].Traffic.From.Packets == 0 || seen.Nodes[0].Traffic.To.Packets == 0 {
		t.Errorf("nodes: %+v", seen.Nodes)
	}
	ends := packet.Ends{SrcMAC: overlay.MAC{2, 0, 0, 0, 0xff, 0xff}, DstMAC: to.Endpoint.Spec.MAC, Src: from.address(overlay.V4), Dst: to.address(overlay.V4)}
	if err := from.send(ends.UDP(5000, 5000, []byte("forged"))); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, patience, func() error {
		return saysAll(s.a.weft("drops blue"), "spoofed-mac", from.Endpoint.Name, "UDP 5000")
	}, "the dropped packet is shown")
	for command, want := range map[string]string{
		"traffic blue": "spoofed-mac", "status --local -o wide": "spoofed-mac 1", "link blue -o wide": from.Endpoint.Name,
	} {
		if err := saysAll(s.a.weft("%s", command), want, "B)"); err != nil {
			t.Errorf("%s: %v", command, err)
		}
	}
	testenv.Eventually(t, patience, func() error {
		if err := saysAll(s.b.weft("node show a"), "ports: from ", "B)"); err != nil {
			return fmt.Errorf("reported: %w", err)
		}
		return nil
	}, "the node reports it")
}
