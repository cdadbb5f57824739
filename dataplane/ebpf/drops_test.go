package ebpf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/dataplane/kernel"
	"weft/encap"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// provocation is a frame that is dropped for a reason.
type provocation struct {
	why     overlay.DropReason
	network overlay.NetworkName // empty: it is of none
	at      dataplanetest.Place
	frame   []byte
	// shown is what is seen of it, if that is not the frame: it came in a tunnel packet.
	shown []byte
}

// provocations has one for each reason, in blue, which is bridged, red, which is routed, and
// green, which has no broadcast.
func provocations() []provocation {
	from := func(s station, mac overlay.MAC, to station) packet.Ends {
		return packet.Ends{SrcMAC: s.mac, DstMAC: mac, Src: s.ip, Dst: to.ip, TTL: 64}
	}
	data, nobody := []byte("provoked"), overlay.MAC{2, 0, 0, 0, 9, 9}
	gateway, routerless := vniOf("red").GatewayMAC(), from(carol, nobody, bob)
	spoofed, forged := alice, alice
	spoofed.mac, forged.ip = nobody, carol.ip
	expired := from(alice, gateway, bob)
	expired.TTL = 1
	group := from(alice, overlay.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, bob)
	tunnel := func(src station, vni overlay.VNI, inner []byte) []byte {
		outer := encap.Outer{Src: vtepB, Dst: dataplanetest.Local(overlay.V4).Addr(), DstPort: overlay.DefaultVXLANPort, VNI: vni}
		if src == alice {
			outer.Src = outer.Src.Next()
		}
		return encap.Wrap(outer, inner)
	}
	inner := routerless.UDP(4000, 4001, data)
	relayed := from(bob, carol.mac, carol).UDP(4000, 4001, data)
	sourced := from(alice, bob.mac, bob).UDP(4000, 4001, data)
	sourced[packet.EthernetLen/2] |= 1 // no station is a group
	return []provocation{
		{overlay.DropNotMember, "blue", dataplanetest.Underlay, tunnel(alice, vniOf("blue"), inner), nil},
		{overlay.DropUnknownVNI, "", dataplanetest.Underlay, unknownVNI(overlay.EncapGeneve, inner), nil},
		{overlay.DropMalformed, "blue", placeOf("blue", alice), malformed(from(alice, bob.mac, bob).UDP(4000, 4001, data)), nil},
		{overlay.DropSpoofedMAC, "blue", placeOf("blue", alice), from(spoofed, bob.mac, bob).UDP(4000, 4001, data), nil},
		{overlay.DropSpoofedIP, "blue", placeOf("blue", alice), from(forged, bob.mac, bob).UDP(4000, 4001, data), nil},
		{overlay.DropUnknownUnicast, "blue", placeOf("blue", alice), from(alice, nobody, bob).UDP(4000, 4001, data), nil},
		{overlay.DropBUM, "green", placeOf("green", alice), group.UDP(4000, 4001, data), nil},
		{overlay.DropNoRoute, "red", placeOf("red", alice), from(alice, gateway, carol).UDP(4000, 4001, data), nil},
		{overlay.DropTTL, "red", placeOf("red", alice), expired.UDP(4000, 4001, data), nil},
		{overlay.DropTooBig, "blue", placeOf("blue", alice), from(alice, carol.mac, carol).UDP(4000, 4001, make([]byte, 1460)), nil},
		{overlay.DropNoPort, "blue", dataplanetest.Underlay, tunnel(carol, vniOf("blue"), inner), inner},
		{overlay.DropLoop, "blue", dataplanetest.Underlay, tunnel(carol, vniOf("blue"), relayed), relayed},
		{overlay.DropNotIP, "red", placeOf("red", alice), append(packet.Ethernet{Dst: gateway, Src: alice.mac, Type: 0x88b5}.Append(nil), make([]byte, 46)...), nil},
		{overlay.DropStorm, "blue", placeOf("blue", alice), group.UDP(4000, 4001, data), nil},
	}
}

// unknownVNI is a tunnel packet from node b that is of no network here.
func unknownVNI(e overlay.Encapsulation, inner []byte) []byte {
	return encap.Wrap(encap.Outer{
		Encapsulation: e, Src: vtepB, Dst: dataplanetest.Local(overlay.V4).Addr(), DstPort: e.DefaultPort(), VNI: 12345, Inner: packet.TypeTEB,
	}, inner)
}

// A VXLAN packet of a VNI that programs do not know may be for the kernel plane, which has it then.
func TestOthersAreNotShown(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	b.apply(t, stateWith("blue"))
	plane := b.Plane.(*kernel.Plane)
	before := plane.Dropped(t.Context(), "", 0).Last
	frame := packet.Ends{SrcMAC: carol.mac, DstMAC: bob.mac, Src: carol.ip, Dst: bob.ip, TTL: 64}.UDP(4000, 4001, []byte("theirs"))
	if err := b.Inject(dataplanetest.Underlay, unknownVNI(overlay.EncapVXLAN, frame)); err != nil {
		t.Fatal(err)
	}
	// Packets are shown in their order.
	stranger := packet.Ends{SrcMAC: carol.mac, DstMAC: bob.mac, Src: alice.ip, Dst: bob.ip, TTL: 64}.UDP(4000, 4001, []byte("forged"))
	if err := b.Inject(placeOf("blue", alice), stranger); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 20*time.Second, func() error {
		shown := false
		for _, d := range plane.Dropped(t.Context(), "", before).Packets {
			if d.Reason == overlay.DropUnknownVNI {
				t.Errorf("shown as dropped: %+v", d)
			}
			shown = shown || d.Reason == overlay.DropSpoofedMAC
		}
		if !shown {
			return errors.New("nothing is shown")
		}
		return nil
	}, "what was dropped later is shown")
}

// malformed is a frame from a group, which no switch takes (IEEE 802.3 clause 3.2.3).
func malformed(frame []byte) []byte {
	frame[6] |= 1
	return frame
}

// Every reason for a drop is counted, and shown with the packet.
func TestDropReasons(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	state := stateWith("blue", "red", "green")
	state.Networks["red"] = routed(state.Networks["red"])
	green := state.Networks["green"]
	green.BUM, green.Encapsulation, green.Port = overlay.BUMNone, overlay.EncapGeneve, overlay.DefaultGenevePort
	state.Networks["green"] = green
	b.apply(t, state)
	all := provocations()
	if ofTunnels := []overlay.DropReason{overlay.DropFamily, overlay.DropChecksum, overlay.DropSequence, overlay.DropFragment}; len(all)+len(ofTunnels) != len(overlay.DropReasons()) {
		t.Errorf("%d provocations, and %v, of %d reasons", len(all), ofTunnels, len(overlay.DropReasons()))
	}
	plane := b.Plane.(*kernel.Plane)
	for i, p := range all {
		t.Run(string(p.why), func(t *testing.T) {
			if p.why != overlay.DropReasons()[i] {
				t.Fatalf("the reason in its place is %s", overlay.DropReasons()[i])
			}
			if p.why == overlay.DropStorm {
				b.exhaust(t, p.network)
			}
			before, last := b.dropped(t, p.network), plane.Dropped(t.Context(), "", 0).Last
			if err := b.Inject(p.at, p.frame); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Deliveries(); err != nil {
				t.Fatal(err)
			}
			after := b.dropped(t, p.network)
			shown := p.shown
			if shown == nil {
				shown = p.frame
			}
			if p.at == dataplanetest.Underlay && p.shown == nil {
				shown = append(make([]byte, packet.EthernetLen), p.frame...) // with a header of the underlay's
			}
			want := overlay.Count{Packets: before[p.why].Packets + 1, Bytes: before[p.why].Bytes + uint64(len(shown))}
			if p.network == "" {
				want.Bytes = 0 // a node's are packets
			}
			if after[p.why] != want {
				t.Errorf("counted %v, want %v", after[p.why], want)
			}
			b.sees(t, last, p, shown)
		})
	}
}

// exhaust empties the buckets of a network's ports for as long as the test may take.
func (b *bed) exhaust(t testing.TB, name overlay.NetworkName) {
	t.Helper()
	for index := range b.tables(t, name).ports {
		if err := b.programs.objects.Storms.Put(index, uint64(math.MaxInt64)); err != nil {
			t.Fatal(err)
		}
	}
}

// dropped counts the drops of a network, or those of none.
func (b *bed) dropped(t testing.TB, name overlay.NetworkName) map[overlay.DropReason]overlay.Count {
	t.Helper()
	seen, err := b.Plane.Observe(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	if name != "" {
		return seen.Networks[name].Dropped
	}
	counts := map[overlay.DropReason]overlay.Count{}
	for why, n := range seen.Drops {
		counts[why] = overlay.Count{Packets: n}
	}
	return counts
}

// sees fails the test unless the packet is shown, among those after the last that was.
func (b *bed) sees(t testing.TB, last uint64, p provocation, frame []byte) {
	t.Helper()
	skip := 0
	if p.at == dataplanetest.Underlay && p.shown == nil {
		skip = packet.EthernetLen // whose addresses are the underlay's
	}
	testenv.Eventually(t, 20*time.Second, func() error {
		d := b.Plane.(*kernel.Plane).Dropped(context.Background(), p.network, 0)
		for i := range d.Packets {
			got := d.Packets[len(d.Packets)-1-i]
			if got.Reason != p.why {
				continue
			}
			begins := frame[:min(len(frame), len(got.Frame))]
			switch {
			case !bytes.Equal(got.Frame[skip:], begins[skip:]) || len(got.Frame) < min(len(frame), 128):
				return fmt.Errorf("it shows %x, want %x", got.Frame, begins)
			case got.Length != len(frame) || got.Network != p.network || got.Port != p.at.Port:
				return fmt.Errorf("it shows %d bytes in network %q at port %q", got.Length, got.Network, got.Port)
			case got.Port == "" && got.Device != "eth0" || time.Since(got.Time).Abs() > time.Minute:
				return fmt.Errorf("it shows device %q at %s", got.Device, got.Time)
			}
			return nil
		}
		return fmt.Errorf("not shown after number %d: %v", last, d)
	}, "the packet is shown")
}

// A flood is counted to the last packet, and only so much of it is shown as somebody can
// read; what is not is said.
func TestFloodOfDrops(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	b.apply(t, stateWith("blue"))
	const packets = 5000
	p := provocations()[3]
	for range packets {
		if err := b.Inject(p.at, p.frame); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Deliveries(); err != nil {
		t.Fatal(err)
	}
	want := overlay.Count{Packets: packets, Bytes: packets * uint64(len(p.frame))}
	if got := b.dropped(t, "blue")[p.why]; got != want {
		t.Errorf("counted %v, want %v", got, want)
	}
	plane := b.Plane.(*kernel.Plane)
	shown := plane.Dropped(t.Context(), "blue", 0)
	if len(shown.Packets) == 0 || len(shown.Packets) > packets/4 {
		t.Fatalf("%d of %d packets are shown", len(shown.Packets), packets)
	}
	// When there is room again, the next one says how many were left out.
	testenv.Eventually(t, 20*time.Second, func() error {
		if err := b.Inject(p.at, p.frame); err != nil {
			return err
		}
		shown, hidden := 0, 0
		if _, err := b.Deliveries(); err != nil {
			return err
		}
		for _, d := range plane.Dropped(context.Background(), "blue", 0).Packets {
			shown, hidden = shown+1, hidden+d.Hidden
		}
		if all := b.dropped(t, "blue")[p.why].Packets; uint64(shown+hidden) != all {
			return fmt.Errorf("%d shown and %d hidden of %d", shown, hidden, all)
		}
		return nil
	}, "all are shown or hidden")
}

// Whoever waits gets what comes, and nothing twice.
func TestWaitForDrops(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	b.apply(t, stateWith("blue"))
	plane, p := b.Plane.(*kernel.Plane), provocations()[3]
	if err := b.Inject(p.at, p.frame); err != nil {
		t.Fatal(err)
	}
	var first dataplane.Dropped
	testenv.Eventually(t, 20*time.Second, func() error {
		if first = plane.Dropped(context.Background(), "", 0); len(first.Packets) == 0 {
			return fmt.Errorf("none")
		}
		return nil
	}, "the first is shown")
	waited := make(chan dataplane.Dropped, 1)
	go func() { waited <- plane.Dropped(context.Background(), "", first.Last) }()
	if err := b.Inject(p.at, p.frame); err != nil {
		t.Fatal(err)
	}
	if next := <-waited; len(next.Packets) != 1 || next.Last != first.Last+1 {
		t.Errorf("after %d: %d packets, the last is %d", first.Last, len(next.Packets), next.Last)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if none := plane.Dropped(ctx, "", first.Last+1); len(none.Packets) != 0 || none.Last != first.Last+1 {
		t.Errorf("when none comes: %+v", none)
	}
}
