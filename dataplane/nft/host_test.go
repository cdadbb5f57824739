package nft

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"weft/dataplane"
	"weft/encap"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

const hostMAC = "02:75:00:00:00:01"

// underFrame is a frame with a tunnel packet from a node to this host.
func underFrame(f overlay.Family, node byte, vni overlay.VNI, port uint16, edit ...func(vxlan []byte)) []byte {
	return ethernet(tunnelled(f, node, vni, port, edit...))
}

func tunnelled(f overlay.Family, node byte, vni overlay.VNI, port uint16, edit ...func(vxlan []byte)) []byte {
	inner := datagram(from(5, "10.7.0.99"))
	b := encap.Wrap(encap.Outer{Src: vtep(f, node), Dst: vtep(f, 1), DstPort: port, VNI: vni}, inner)
	for _, e := range edit {
		e(b[len(b)-len(inner)-encap.VXLANLen:])
	}
	return b
}

func ethernet(ip []byte) []byte {
	mac, err := overlay.ParseMAC(hostMAC)
	if err != nil {
		panic(err)
	}
	kind := packet.TypeIPv4
	if ip[0]>>4 == 6 {
		kind = packet.TypeIPv6
	}
	return append(packet.Ethernet{Dst: mac, Src: overlay.MAC{2, 0x75, 0, 0, 0, 2}, Type: kind}.Append(nil), ip...)
}

// pieces cuts an IPv4 packet in two, of which the first has so many bytes of payload.
func pieces4(ip []byte, first int) [][]byte {
	h, payload, err := packet.ParseIPv4(ip)
	if err != nil {
		panic(err)
	}
	h.ID, h.Flags = 77, packet.MoreFragments
	a := h
	a.TotalLen = uint16(packet.IPv4MinLen + first)
	h.Flags, h.FragOffset, h.TotalLen = 0, uint16(first), uint16(packet.IPv4MinLen+len(payload)-first)
	return [][]byte{
		ethernet(append(a.Append(nil), payload[:first]...)),
		ethernet(append(h.Append(nil), payload[first:]...)),
	}
}

// pieces6 is pieces4 of an IPv6 packet (RFC 8200 section 4.5).
func pieces6(ip []byte, first int) [][]byte {
	h, payload, err := packet.ParseIPv6(ip)
	if err != nil {
		panic(err)
	}
	piece := func(offset int, more byte, part []byte) []byte {
		fragment := []byte{byte(packet.ProtoUDP), 0, byte(offset >> 8), byte(offset) | more, 0, 0, 0, 77}
		h := h
		h.NextHeader, h.PayloadLen = packet.ProtoFragment, uint16(len(fragment)+len(part))
		return ethernet(slices.Concat(h.Append(nil), fragment, part))
	}
	return [][]byte{piece(0, 1, payload[:first]), piece(first, 0, payload[first:])}
}

func TestHost(t *testing.T) {
	t.Parallel()
	for _, f := range []overlay.Family{overlay.V4, overlay.V6} {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			w := newHost(t, f)
			other := overlay.V4
			if f == overlay.V4 {
				other = overlay.V6
			}
			const blue, red = 4097, 4098
			w.apply(hosts(
				network(overlay.Bridged, f), // of node 2
				network(overlay.Bridged, f, named("red", red), func(n *dataplane.Network) { clear(n.Members) }, withMember(3)),
				network(overlay.Bridged, other, named("green", 4099))))
			w.witness("inet", "input")

			for _, c := range []struct {
				what  string
				frame []byte
				fate  []string
			}{
				{"member", underFrame(f, 2, blue, 4789), []string{passed}},
				{"stranger", underFrame(f, 9, blue, 4789), []string{"not-member/blue"}},
				{"member of another", underFrame(f, 2, red, 4789), []string{"not-member/red"}},
				{"member of that", underFrame(f, 3, red, 4789), []string{passed}},
				{"unknown VNI", underFrame(f, 2, 77, 4789), []string{unknownVNI, passed}},
				{"VNI of the other family", underFrame(f, 2, 4099, 4789), []string{unknownVNI, passed}},
				{"another byte of the VNI", underFrame(f, 2, blue|1<<16, 4789), []string{unknownVNI, passed}},
				{"reserved bits of a member", underFrame(f, 2, blue, 4789, reserved), []string{passed}},
				{"reserved bits of a stranger", underFrame(f, 9, blue, 4789, reserved), []string{"not-member/blue"}},
				{"no VXLAN", underFrame(f, 2, 77, 4789, reserved), []string{passed}},
				{"another port", underFrame(f, 9, blue, 4790), []string{passed}},
				{"too short", ethernet(short(f)), []string{passed}},
			} {
				t.Run(c.what, func(t *testing.T) {
					w.TB = t
					w.send("eth0", [][]byte{c.frame}, c.fate...)
				})
			}
			w.TB = t
			w.fragments(f)

			// A member more, a member less: its packets, at once.
			w.apply(hosts(network(overlay.Bridged, f, func(n *dataplane.Network) { clear(n.Members) }, withMember(9))))
			w.send("eth0", [][]byte{underFrame(f, 9, blue, 4789)}, passed)
			w.send("eth0", [][]byte{underFrame(f, 2, blue, 4789)}, "not-member/blue")
			counts, err := w.conn.Counts()
			if err != nil {
				t.Fatal(err)
			}
			if n, ok := counts.Strangers("blue"); !ok || n != w.counted()["not-member/blue"] {
				t.Errorf("%d strangers, the tool says %d", n, w.counted()["not-member/blue"])
			}
			if n := counts.Host()[overlay.DropUnknownVNI]; n != w.counted()[unknownVNI] {
				t.Errorf("%d of unknown VNI, the tool says %d", n, w.counted()[unknownVNI])
			}
		})
	}
}

// What is for a tunnel to a peer without Weft passes, whoever sends it, and is not counted.
func TestHostOfTunnels(t *testing.T) {
	t.Parallel()
	for _, f := range []overlay.Family{overlay.V4, overlay.V6} {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			const alone, attached, kept = 77, 78, 79
			tunnel := func(v overlay.VNI) dataplane.Tunnel {
				s := overlay.TunnelSpec{Mode: overlay.TunnelVXLAN, VNI: v, Remote: vtep(f, 9).String(), Plane: overlay.PlaneKernel}
				return dataplane.Tunnel{Spec: s.Complete("neta"), Local: vtep(f, 1), Remote: vtep(f, 9)}
			}
			part := tunnel(attached)
			blue := network(overlay.Bridged, f, func(n *dataplane.Network) {
				n.Ports["tunnel/out"] = dataplane.Port{Name: "tunnel/out", Kind: overlay.PortSegment, Device: "out", Tunnel: &part}
			})
			state := dataplane.State{
				Networks: map[overlay.NetworkName]dataplane.Network{"blue": blue},
				Tunnels:  map[overlay.TunnelName]dataplane.Tunnel{"neta": tunnel(alone), "netb": tunnel(blue.VNI)},
			}
			w := newHost(t, f)
			w.apply(Host(state, nil))
			w.witness("inet", "input")
			for _, v := range []overlay.VNI{alone, attached} {
				w.send("eth0", [][]byte{underFrame(f, 9, v, 4789)}, passed)
			}
			w.send("eth0", [][]byte{underFrame(f, 8, attached, 4789)}, "not-member/blue") // not the peer
			w.send("eth0", [][]byte{underFrame(f, 9, kept, 4789)}, unknownVNI, passed)
			w.send("eth0", [][]byte{underFrame(f, 9, alone, 4790)}, passed)
			w.send("eth0", [][]byte{underFrame(f, 9, blue.VNI, 4789)}, "not-member/blue") // whatever claims should have kept out

			delete(state.Tunnels, "neta")
			w.apply(Host(state, nil))
			w.send("eth0", [][]byte{underFrame(f, 9, alone, 4789)}, unknownVNI, passed)
		})
	}
}

// fragments sends tunnel packets in pieces: the first ends before the VNI, so that no
// rule that looks at pieces could tell.
func (w *wires) fragments(f overlay.Family) {
	w.Helper()
	const udpHeader = 8
	if f == overlay.V4 {
		w.send("eth0", pieces4(tunnelled(f, 2, 4097, 4789), udpHeader), passed)
		w.send("eth0", pieces4(tunnelled(f, 9, 4097, 4789), udpHeader), "not-member/blue")
		return
	}
	// The last piece has no header that a rule could see: it passes, and waits in vain.
	w.send("eth0", pieces6(tunnelled(f, 2, 4097, 4789), udpHeader), malformed, passed)
	w.send("eth0", pieces6(tunnelled(f, 9, 4097, 4789), udpHeader), malformed, passed)
}

func reserved(vxlan []byte) { vxlan[0], vxlan[1], vxlan[7] = 0x88, 0xff, 1 }

// short is a datagram that ends before the VNI.
func short(f overlay.Family) []byte {
	b := tunnelled(f, 9, 4097, 4789)
	if f == overlay.V4 {
		h, payload, _ := packet.ParseIPv4(b)
		h.TotalLen = packet.IPv4MinLen + 12
		payload[5] = 12
		return append(h.Append(nil), payload[:12]...)
	}
	h, payload, _ := packet.ParseIPv6(b)
	h.PayloadLen = 12
	payload[5] = 12
	return append(h.Append(nil), payload[:12]...)
}

// What the eBPF plane's programs have marked passes, and only that.
func TestHostMarked(t *testing.T) {
	t.Parallel()
	w := newHost(t, overlay.V4)
	w.apply(hosts(network(overlay.Bridged, overlay.V4, onPrograms)))
	w.witness("inet", "input")
	stranger := [][]byte{underFrame(overlay.V4, 9, 4097, 4789)}
	w.send("eth0", stranger, "not-member/blue")
	w.nft("add table inet programs; add chain inet programs first { type filter hook prerouting priority raw; }; " +
		"add rule inet programs first ip saddr 192.0.2.9 meta mark set 0x77656d62")
	w.send("eth0", stranger, passed)
	w.send("eth0", [][]byte{underFrame(overlay.V4, 8, 4097, 4789)}, "not-member/blue")
}

// newHost makes a host on an underlay of a family.
func newHost(t testing.TB, f overlay.Family) *wires {
	t.Helper()
	w := newWires(t, "eth0")
	testenv.Run(t, w.ns, "ip", "link", "set", "eth0", "address", hostMAC)
	address := fmt.Sprint(netip.PrefixFrom(vtep(f, 1), map[overlay.Family]int{overlay.V4: 24, overlay.V6: 64}[f]))
	testenv.Run(t, w.ns, "ip", "address", "add", address, "dev", "eth0", "nodad")
	// It has no socket for them, and is not to say so.
	testenv.Run(t, w.ns, "ip", "route", "add", "blackhole", map[overlay.Family]string{overlay.V4: "192.0.2.2/31", overlay.V6: "2001:db8:ffff::2/127"}[f])
	return w
}
