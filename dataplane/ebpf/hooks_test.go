package ebpf

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"weft/dataplane/dataplanetest"
	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

// While programs change from one hook to another, both have them, and packets pass one after
// the other. One that the kernel unwraps, because it has a checksum or was put together by a card,
// the first leaves to it, and the second leaves alone.
func TestBothHooks(t *testing.T) {
	t.Parallel()
	b := newBedBy(t, overlay.AttachVeth, clsact)
	state := stateWith("blue", "green")
	green := state.Networks["green"]
	green.Encapsulation, green.Port = overlay.EncapGeneve, overlay.DefaultGenevePort
	state.Networks["green"] = green
	b.apply(t, state)
	underlay := attachment{uint32(b.devices(t)["eth0"]), onUnderlay}
	if err := b.programs.attachers()[tcx].attach(underlay, b.programs.program(onUnderlay)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []overlay.NetworkName{"blue", "green"} {
		t.Run(string(state.Networks[name].Encapsulation), func(t *testing.T) {
			data := []byte("once")
			frame := packet.Ends{SrcMAC: carol.mac, DstMAC: alice.mac, Src: carol.ip, Dst: alice.ip, TTL: 64}.UDP(4000, 4001, data)
			n := state.Networks[name]
			if err := b.Inject(dataplanetest.Underlay, checksummed(encap.Wrap(encap.Outer{
				Encapsulation: n.Encapsulation, Inner: packet.TypeTEB, Src: vtepB, Dst: n.Local, DstPort: n.Port, VNI: vniOf(name),
			}, frame))); err != nil {
				t.Fatal(err)
			}
			got, err := b.Deliveries()
			if err != nil {
				t.Fatal(err)
			}
			got = slices.DeleteFunc(got, func(d dataplanetest.Delivery) bool { return !bytes.Contains(d.Bytes, data) })
			if len(got) != 1 || got[0].At != placeOf(name, alice) || !bytes.Equal(got[0].Bytes, frame) {
				t.Errorf("got %v, want it once, at alice", got)
			}
			if from := counts(t, b.Plane, name)["node b"].From.Packets; from != 1 {
				t.Errorf("counted %d packets of its node, want 1", from)
			}
		})
	}
	b.settled(t)
}

// checksummed puts a checksum into a UDP packet over IPv4 that has none.
func checksummed(ip []byte) []byte {
	udp := ip[packet.IPv4MinLen:]
	src, dst := netip.AddrFrom4([4]byte(ip[12:])), netip.AddrFrom4([4]byte(ip[16:]))
	binary.BigEndian.PutUint16(udp[6:], packet.TransportChecksum(src, dst, packet.ProtoUDP, udp))
	return ip
}
