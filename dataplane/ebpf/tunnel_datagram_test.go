package ebpf

import (
	"testing"

	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/overlay"
	"weft/packet"
)

// Source ports are those of the range, all of them, and a checksum that was asked for is right.
func TestTunnelDatagrams(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	yes := true
	tunnels := tunnelsFrom(dataplanetest.Local(overlay.V4).Addr(), map[overlay.TunnelName]overlay.TunnelSpec{
		"few":    {Mode: overlay.TunnelVXLAN, VNI: 81, SourcePorts: &overlay.PortRange{Low: 40000, High: 40003}},
		"sums":   {Mode: overlay.TunnelGeneve, VNI: 82, UDPChecksum: &yes},
		"plain":  {Mode: overlay.TunnelVXLAN, VNI: 83},
		"single": {Mode: overlay.TunnelVXLAN, VNI: 84, SourcePorts: &overlay.PortRange{Low: 4789, High: 4789}},
	})
	b.apply(t, dataplane.State{Node: "a", Tunnels: tunnels})
	b.settled(t)
	for name, want := range map[overlay.TunnelName]struct {
		ports    int
		from, to uint16
		sum      bool
	}{"few": {4, 40000, 40003, false}, "sums": {33, 49152, 65535, true}, "plain": {33, 49152, 65535, false}, "single": {1, 4789, 4789, false}} {
		tunnel := tunnels[name]
		out := b.Interface(t, tunnel.Spec.Device)
		here := tunnel.Spec.Addresses[0].Addr()
		const flows = 64
		for i := range uint16(flows) {
			e := packet.Ends{SrcMAC: tunnel.Spec.MAC, DstMAC: strangerMAC, Src: here, Dst: here.Next()}
			if err := out.Send(e.UDP(5000+i, 53, []byte(mark))); err != nil {
				t.Fatal(err)
			}
		}
		got, err := b.Deliveries()
		if err != nil {
			t.Fatal(err)
		}
		got = marked(got)
		seen := map[uint16]bool{}
		for _, d := range got {
			ip, segment, err := packet.ParseIPv4(d.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			udp, _, err := packet.ParseUDP(segment)
			if err != nil || udp.SrcPort < want.from || udp.SrcPort > want.to {
				t.Errorf("%s: %+v, %v", name, udp, err)
			}
			seen[udp.SrcPort] = true
			if right := packet.TransportChecksum(ip.Src, ip.Dst, packet.ProtoUDP, segment) == 0; (udp.Checksum != 0) != want.sum || want.sum && !right {
				t.Errorf("%s: checksum %#x is right: %t", name, udp.Checksum, right)
			}
		}
		if len(got) != flows || len(seen) < want.ports {
			t.Errorf("%s: %d packets from %d ports, want %d from at least %d", name, len(got), len(seen), flows, want.ports)
		}
	}
}
