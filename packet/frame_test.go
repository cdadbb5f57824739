package packet

import (
	"net/netip"
	"testing"
)

// checkFrame holds a frame that we built against the kernel's.
func checkFrame(t *testing.T, name string, got []byte) {
	t.Helper()
	if want := frame(t, name); string(got) != string(want) {
		t.Errorf("%s:\ngot  %x\nwant %x", name, got, want)
	}
}

// withID is an IPv4 frame with another identification (we send none), or an IPv6
// frame with another flow label.
func withID(t *testing.T, b []byte, id uint16, flags IPv4Flags, label uint32) []byte {
	t.Helper()
	eth, rest, err := ParseEthernet(b)
	if err != nil {
		t.Fatal(err)
	}
	out := eth.Append(nil)
	if eth.Type == TypeIPv4 {
		h, payload, err := ParseIPv4(rest)
		if err != nil {
			t.Fatal(err)
		}
		h.ID, h.Flags = id, flags
		return append(h.Append(out), payload...)
	}
	h, payload, err := ParseIPv6(rest)
	if err != nil {
		t.Fatal(err)
	}
	h.FlowLabel = label
	return append(h.Append(out), payload...)
}

var (
	out4 = Ends{SrcMAC: hostMAC, DstMAC: routerMAC, Src: host4, Dst: far4}
	out6 = Ends{SrcMAC: hostMAC, DstMAC: routerMAC, Src: host6, Dst: far6}
)

// sixteen is the payload of the pings in testdata/frames.txt.
var sixteen = []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

func TestEchoFrames(t *testing.T) {
	t.Parallel()
	checkFrame(t, "echo4-request", withID(t, out4.EchoRequest(0x1234, 1, sixteen), 0x7cec, DontFragment, 0))
	checkFrame(t, "echo6-request", withID(t, out6.EchoRequest(0x1234, 1, sixteen), 0, 0, 0xcb7f3))

	reply := frame(t, "echo4-reply")
	h, _, err := ParseIPv4(reply[EthernetLen:])
	if err != nil {
		t.Fatal(err)
	}
	back := out4.Back()
	back.TTL = 63 // through a router
	checkFrame(t, "echo4-reply", withID(t, back.EchoReply(0x1234, 1, sixteen), h.ID, h.Flags, 0))

	h6, _, err := ParseIPv6(frame(t, "echo6-reply")[EthernetLen:])
	if err != nil {
		t.Fatal(err)
	}
	back = out6.Back()
	back.TTL = 63
	checkFrame(t, "echo6-reply", withID(t, back.EchoReply(0x1234, 1, sixteen), 0, 0, h6.FlowLabel))
}

func TestUDPFrames(t *testing.T) {
	t.Parallel()
	checkFrame(t, "udp4", withID(t, out4.UDP(33319, 5000, []byte("hello")), 0x6bdc, DontFragment, 0))
	checkFrame(t, "udp6", withID(t, out6.UDP(50596, 5000, []byte("hello")), 0, 0, 0x514d3))
}

func TestTCPFrames(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]Ends{"tcp4-data": out4, "tcp6-data": out6} {
		h, payload, err := ParseTCP(segment(t, name))
		if err != nil {
			t.Fatal(err)
		}
		got := e.TCP(h, payload) // its checksum is not used
		h.Checksum++
		if again := e.TCP(h, payload); string(again) != string(got) {
			t.Errorf("%s: depends on the checksum it was given", name)
		}
		var id uint16
		var label uint32
		if e.Src.Is4() {
			ip, _, _ := ParseIPv4(network(t, name))
			id = ip.ID
		} else {
			ip, _, _ := ParseIPv6(network(t, name))
			label = ip.FlowLabel
		}
		checkFrame(t, name, withID(t, got, id, DontFragment, label))
	}
}

// A computed UDP checksum of zero goes out as 0xffff (RFC 768).
func TestUDPFrameNeverSendsNoChecksum(t *testing.T) {
	t.Parallel()
	for _, e := range []Ends{out4, out6} {
		plain, _, err := ParseUDP(payloadOf(t, e.UDP(1, 2, []byte{0, 0})))
		if err != nil {
			t.Fatal(err)
		}
		// Adding the checksum itself as data makes the new one zero.
		data := []byte{byte(plain.Checksum >> 8), byte(plain.Checksum)}
		h, _, err := ParseUDP(payloadOf(t, e.UDP(1, 2, data)))
		if err != nil || h.Checksum != 0xffff {
			t.Errorf("%s: checksum %#x, %v", e.Src, h.Checksum, err)
		}
	}
}

func payloadOf(t *testing.T, b []byte) []byte {
	t.Helper()
	var err error
	if b = b[EthernetLen:]; b[0]>>4 == 4 {
		_, b, err = ParseIPv4(b)
	} else {
		_, b, err = ParseIPv6(b)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEndsTTLAndTOS(t *testing.T) {
	t.Parallel()
	e := out4
	e.TTL, e.TOS = 1, 0xb8
	if h, _, err := ParseIPv4(e.IP(200, nil)[EthernetLen:]); err != nil || h.TTL != 1 || h.TOS != 0xb8 || h.Protocol != 200 {
		t.Errorf("v4: %+v, %v", h, err)
	}
	e = out6
	e.TTL, e.TOS = 1, 0xb8
	if h, _, err := ParseIPv6(e.IP(200, nil)[EthernetLen:]); err != nil || h.HopLimit != 1 || h.TrafficClass != 0xb8 || h.NextHeader != 200 {
		t.Errorf("v6: %+v, %v", h, err)
	}
}

// The zero netip.Addr is the unspecified address.
func TestAppendZeroHeaders(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"ARP": ARP{}.Append(nil)[14:18], "IPv4": IPv4{}.Append(nil)[12:20],
		"IPv6": IPv6{}.Append(nil)[8:40], "ND": ND{}.Append(nil)[8:24],
	} {
		for _, c := range b {
			if c != 0 {
				t.Errorf("%s: address %x", name, b)
			}
		}
	}
	if TransportChecksum(netip.Addr{}, netip.Addr{}, ProtoUDP, nil) != TransportChecksum(netip.IPv6Unspecified(), netip.IPv6Unspecified(), ProtoUDP, nil) {
		t.Error("the pseudo header of zero addresses differs from the unspecified ones'")
	}
}
