package packet

import "testing"

func TestEthernet(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Ethernet{
		"arp-request":   {Dst: Broadcast, Src: hostMAC, Type: TypeARP},
		"arp-reply":     {Dst: hostMAC, Src: routerMAC, Type: TypeARP},
		"echo4-request": {Dst: routerMAC, Src: hostMAC, Type: TypeIPv4},
		"ns-dad":        {Dst: [6]byte{0x33, 0x33, 0xff, 0, 0, 0x0a}, Src: hostMAC, Type: TypeIPv6},
	} {
		t.Run(name, func(t *testing.T) {
			b := frame(t, name)
			checkParse(t, b, ParseEthernet, want, len(b)-EthernetLen)
			checkCutOff(t, b, ParseEthernet)
		})
	}
}

func TestEtherType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ            EtherType
		text           string
		length, tagged bool
	}{
		{TypeIPv4, "IPv4", false, false},
		{TypeIPv6, "IPv6", false, false},
		{TypeARP, "ARP", false, false},
		{TypeVLAN, "802.1Q", false, true},
		{TypeQinQ, "802.1ad", false, true},
		{0x88cc, "0x88cc", false, false}, // LLDP
		{38, "0x0026", true, false},      // a spanning tree BPDU
		{1500, "0x05dc", true, false},
		{1501, "0x05dd", false, false},
	} {
		if c.typ.String() != c.text || c.typ.IsLength() != c.length || c.typ.IsVLAN() != c.tagged {
			t.Errorf("%#x: %q, length %v, tagged %v, want %+v",
				uint16(c.typ), c.typ, c.typ.IsLength(), c.typ.IsVLAN(), c)
		}
	}
}

func TestIsGroup(t *testing.T) {
	t.Parallel()
	for mac, want := range map[[6]byte]bool{
		Broadcast:                   true,
		{0x33, 0x33, 0, 0, 0, 1}:    true,
		{0x01, 0x00, 0x5e, 0, 0, 1}: true,
		hostMAC:                     false,
		{}:                          false,
	} {
		if IsGroup(mac) != want {
			t.Errorf("%x: got %v", mac, !want)
		}
	}
}

// tshark 4.0 on 02000000000b 02000000000a 8100 6064 0806: "Priority: Excellent
// Effort (3), DEI: Ineligible, ID: 100, Type: ARP"; on b fff: "Network Control? (5),
// DEI: Eligible, ID: 4095".
func TestVLAN(t *testing.T) {
	t.Parallel()
	for wire, want := range map[string]VLAN{
		"6064 0806": {Priority: 3, ID: 100, Type: TypeARP},
		"bfff 86dd": {Priority: 5, DropEligible: true, ID: 4095, Type: TypeIPv6},
		"0000 0800": {Type: TypeIPv4},
	} {
		b := unhex(t, wire+"aabb")
		checkParse(t, b, ParseVLAN, want, 2)
		checkCutOff(t, b, ParseVLAN)
	}
}
