package e2e

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"strings"
	"testing"

	"weft/encap"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// TestDrops: what somebody forged, and tunnel packets that are nobody's, do not arrive,
// and weft status counts them by why. What is in order, sent in the same ways, arrives
// and is counted nowhere.
func TestDrops(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.a.weft("network create blue --vni 7007 --subnet 10.7.0.0/24 --subnet6 fd00:7::/64")
	from, to := s.a.attach("blue"), s.b.attach("blue")
	s.settled()
	s.pings(from.Namespace, to.address(overlay.V4).String())
	stranger := overlay.MAC{0x02, 0, 0, 0, 0xff, 0xff}
	frame := func(mac overlay.MAC, src netip.Addr, text string) []byte {
		ends := packet.Ends{SrcMAC: mac, DstMAC: to.Endpoint.Spec.MAC, Src: src, Dst: to.address(overlay.FamilyOf(src))}
		return ends.UDP(5000, 5000, []byte(text+"\n"))
	}
	own := from.Endpoint.Spec.MAC
	port := func(frame []byte) error { return from.send(frame) }
	tunnel := func(h *host, vni overlay.VNI) func([]byte) error {
		return func(frame []byte) error {
			return h.sendUnderlay(s.b, append(encap.VXLAN{VNI: vni}.Append(nil), frame...))
		}
	}
	for i, tt := range []struct {
		what string
		send func([]byte) error
		mac  overlay.MAC
		src  netip.Addr
		// at is where it is dropped and why; nil: it arrives.
		at  *host
		why overlay.DropReason
	}{
		{"from a port", port, own, from.address(overlay.V4), nil, ""},
		{"from a port", port, own, from.address(overlay.V6), nil, ""},
		{"with a forged MAC", port, stranger, from.address(overlay.V4), s.a, overlay.DropSpoofedMAC},
		{"with a forged IPv4 address", port, own, netip.MustParseAddr("10.7.0.99"), s.a, overlay.DropSpoofedIP},
		{"with a forged IPv6 address", port, own, netip.MustParseAddr("fd00:7::99"), s.a, overlay.DropSpoofedIP},
		{"from a member's underlay", tunnel(s.a, 7007), own, from.address(overlay.V4), nil, ""},
		{"from a stranger's underlay", tunnel(s.c, 7007), own, from.address(overlay.V4), s.b, overlay.DropNotMember},
		{"of an unknown VNI", tunnel(s.a, 7008), own, from.address(overlay.V4), s.b, overlay.DropUnknownVNI},
	} {
		t.Run(strings.ReplaceAll(tt.what, " ", "-"), func(t *testing.T) {
			capture, text := to.listen(), fmt.Sprintf("probe %d", i)
			wantA, wantB := s.a.drops(), s.b.drops()
			switch tt.at {
			case s.a:
				wantA[tt.why]++
			case s.b:
				wantB[tt.why]++
			}
			if err := tt.send(frame(tt.mac, tt.src, text)); err != nil {
				t.Fatal(err)
			}
			testenv.Eventually(t, patience, func() error {
				if a, b := s.a.drops(), s.b.drops(); !maps.Equal(a, wantA) || !maps.Equal(b, wantB) {
					return fmt.Errorf("a dropped %v, b %v; want %v and %v", a, b, wantA, wantB)
				}
				return nil
			}, "the drop is counted, and nothing else")
			end := fmt.Sprintf("end %d", i)
			if err := from.send(frame(own, from.address(overlay.V4), end)); err != nil {
				t.Fatal(err)
			}
			arrived, err := heard(t.Context(), capture, end, text)
			if err != nil || (len(arrived) > 0) != (tt.at == nil) {
				t.Errorf("arrived: %q, %v", arrived, err)
			}
		})
	}
	for h, want := range map[*host]string{
		s.a: "spoofed-mac 1, spoofed-ip 2", s.b: "not-member 1", // of the network
	} {
		if err := saysAll(h.weft("status --local"), h.Name()+" *", "blue", want); err != nil {
			t.Error(err)
		}
	}
	if err := saysAll(s.b.weft("status --local"), "b *", "unknown-vni 1"); err != nil {
		t.Error(err)
	}
}

// drops are what the host has dropped, by what weft status says: of blue, and of no
// network.
func (h *host) drops() overlay.Drops {
	h.s.t.Helper()
	var nodes []struct {
		Networks []overlay.NetworkReport
		Drops    overlay.Drops
	}
	h.read(&nodes, "status --local")
	all := overlay.Drops{}
	for _, n := range nodes {
		maps.Copy(all, n.Drops)
		for _, r := range n.Networks {
			maps.Copy(all, r.Drops)
		}
	}
	return all
}

// sendUnderlay sends a datagram from the host's own stack to the VXLAN port of another's.
func (h *host) sendUnderlay(to *host, payload []byte) error {
	return h.Do(func() error {
		address := netip.AddrPortFrom(to.Machine().NICs[0].Addresses[0].Addr(), overlay.DefaultVXLANPort)
		conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(address))
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write(payload)
		return err
	})
}
