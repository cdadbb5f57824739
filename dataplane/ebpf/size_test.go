package ebpf

import (
	"testing"

	"weft/overlay"
	"weft/packet"
)

// What is too large for the tunnel is answered once, between link-local addresses too, to
// which no route of ours leads.
func TestTooLargeBetweenLinkLocal(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	b.apply(t, stateWith("blue"))
	ends := packet.Ends{SrcMAC: alice.mac, DstMAC: carol.mac, Src: alice.mac.LinkLocal(), Dst: carol.mac.LinkLocal()}
	if err := b.Inject(placeOf("blue", alice), ends.UDP(4000, 4001, make([]byte, 1440))); err != nil {
		t.Fatal(err)
	}
	got, err := b.Deliveries()
	if err != nil {
		t.Fatal(err)
	}
	const kind = packet.EthernetLen + packet.IPv6Len // where ICMPv6 begins
	var errors []packet.ICMPv6Type
	for _, d := range got {
		h, _, err := packet.ParseIPv6(d.Bytes[packet.EthernetLen:])
		if err != nil || h.NextHeader != packet.ProtoICMPv6 || d.At != placeOf("blue", alice) {
			continue // as of a host that tells what groups it is in
		}
		if answer := packet.ICMPv6Type(d.Bytes[kind]); answer < packet.ICMPv6EchoRequest {
			errors = append(errors, answer)
		}
	}
	if len(errors) != 1 || errors[0] != packet.ICMPv6PacketTooBig {
		t.Errorf("want one answer of ICMPv6 type %d, got %d", packet.ICMPv6PacketTooBig, errors)
	}
}
