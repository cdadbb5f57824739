package ebpf

import (
	"encoding/binary"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weft/dataplane/dataplanetest"
	"weft/encap"
	"weft/internal/netns"
	"weft/overlay"
	"weft/packet"
)

// theirs is what a stranger sends to the host, for a tunnel that Weft knows nothing of.
type theirs struct {
	name  string
	outer encap.Outer
	edit  func(gre []byte)
}

// What is for devices that others have on the host comes to them, whatever networks and tunnels are
// beside them, and is counted as dropped nowhere.
func TestStrangersTunnels(t *testing.T) {
	t.Parallel()
	for _, e := range []overlay.Encapsulation{overlay.EncapGRE, overlay.EncapIPIP} {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, overlay.AttachVeth)
			state := stateWith("blue")
			blue := routed(state.Networks["blue"])
			blue.Encapsulation, blue.Port = e, 0
			state.Networks["blue"] = blue
			state.Tunnels = aloneTunnels()
			b.apply(t, state)
			b.settled(t)
			all, protocol := theirPackets(e)
			listener := b.listen(t, protocol)
			was, seen := b.node(t), 0
			for i, p := range all {
				inner := packet.Ends{Src: alice.ip, Dst: bob.ip, TTL: 64}.UDP(4000, 4001, binary.BigEndian.AppendUint64([]byte(mark), uint64(i)))
				p.outer.Encapsulation, p.outer.Dst, p.outer.Inner = e, dataplanetest.Local(overlay.V4).Addr(), packet.TypeIPv4
				frame := encap.Wrap(p.outer, inner[packet.EthernetLen:])
				if p.edit != nil {
					p.edit(frame[packet.IPv4MinLen:])
				}
				if err := b.Inject(dataplanetest.Underlay, frame); err != nil {
					t.Fatal(err)
				}
				if n, ok := number(listener.read(t)); !ok || n != uint64(i) {
					t.Fatalf("%s: the host does not get it", p.name)
				}
				seen++
			}
			now := b.node(t)
			for _, why := range overlay.DropReasons() {
				if now[why] != was[why] {
					t.Errorf("of %d packets that the host got %d are counted as dropped: %s", seen, now[why]-was[why], why)
				}
			}
			b.cut(t, e)
		})
	}
}

// cut: a packet of a member's that was cut on its way comes whole. One of which the rest does not
// come is counted for what it is.
func (b *bed) cut(t *testing.T, e overlay.Encapsulation) {
	t.Helper()
	inner := packet.Ends{Src: carol.ip, Dst: bob.ip, TTL: 64}.UDP(4000, 4001, append(make([]byte, 100), mark...))
	o := encap.Outer{Encapsulation: e, Src: vtepB, Dst: dataplanetest.Local(overlay.V4).Addr(), VNI: vniOf("blue"), Inner: packet.TypeIPv4}
	pieces := dataplanetest.Pieces(encap.Wrap(o, inner[packet.EthernetLen:]), 64, 7)
	was := b.node(t)
	for _, piece := range append(pieces, pieces[0], pieces[0]) {
		if err := b.Inject(dataplanetest.Underlay, piece); err != nil {
			t.Fatal(err)
		}
	}
	got, err := b.Deliveries()
	if got = marked(got); err != nil || len(got) != 1 || got[0].At != placeOf("blue", bob) {
		t.Errorf("of a packet in pieces came %v, %v", got, err)
	}
	for why, n := range b.node(t) {
		if dropped := n - was[why]; dropped != 0 != (why == overlay.DropFragment) || dropped > 1 {
			t.Errorf("dropped: %d as %s", dropped, why)
		}
	}
}

// theirPackets are those of an encapsulation, and its protocol.
func theirPackets(e overlay.Encapsulation) ([]theirs, packet.Protocol) {
	stranger := netip.AddrFrom4([4]byte{192, 0, 2, 7})
	if e == overlay.EncapIPIP {
		return []theirs{{name: "from nobody known", outer: encap.Outer{Src: stranger}}}, packet.ProtoIPv4
	}
	blue := vniOf("blue")
	return []theirs{
		{name: "unknown key", outer: encap.Outer{Src: stranger, VNI: 12345}},
		{name: "unknown key of a member's", outer: encap.Outer{Src: vtepB, VNI: 12345}},
		{name: "unknown key and checksum", outer: encap.Outer{Src: stranger, VNI: 12345, Checksum: true}},
		{name: "unknown key and number", outer: encap.Outer{Src: stranger, VNI: 12345, HasSequence: true, Sequence: 7}},
		{name: "no key", outer: encap.Outer{Src: stranger, NoKey: true}},
		{name: "version 1 (RFC 2637)", outer: encap.Outer{Src: stranger, VNI: blue}, edit: func(gre []byte) { gre[1] |= 1 }},
		{name: "routing (RFC 1701)", outer: encap.Outer{Src: stranger, VNI: blue}, edit: func(gre []byte) { gre[0] |= 0x40 }},
	}, packet.ProtoGRE
}

// node is what the node has dropped, in all networks and in none.
func (b *bed) node(t testing.TB) map[overlay.DropReason]uint64 {
	t.Helper()
	drops, err := b.Drops()
	if err != nil {
		t.Fatal(err)
	}
	return drops
}

// listener gets what comes to a host for a protocol that the kernel does not have: raw(7).
type listener struct{ fd int }

func (b *bed) listen(t testing.TB, protocol packet.Protocol) listener {
	t.Helper()
	var l listener
	if err := netns.Do(b.on.Namespace, func() (err error) {
		l.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(protocol))
		return os.NewSyscallError("socket", err)
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Close(l.fd); err != nil {
			t.Error(err)
		}
	})
	patience := unix.NsecToTimeval(int64(20 * time.Second))
	if err := unix.SetsockoptTimeval(l.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience); err != nil {
		t.Fatal(err)
	}
	return l
}

// read waits for a packet.
func (l listener) read(t testing.TB) []byte {
	t.Helper()
	b := make([]byte, 2048)
	n, err := unix.Read(l.fd, b)
	if err != nil {
		t.Fatal(os.NewSyscallError("read", err))
	}
	return slices.Clone(b[:n])
}
