package packet

import "testing"

// Not parallel: testing.AllocsPerRun counts the whole process's allocations.
func TestParseAndAppendDoNotAllocate(t *testing.T) {
	eth, l3, l3v6 := frame(t, "tcp4-syn"), network(t, "record-route"), network(t, "mld")
	arp, udp, tcp := network(t, "arp-reply"), segment(t, "udp4"), segment(t, "tcp4-syn")
	icmp4, icmp6, nd := segment(t, "echo4-reply"), segment(t, "echo6-reply"), segment(t, "na")
	buf := make([]byte, 0, 256)
	for name, run := range map[string]func(){
		"ethernet": func() { roundTrip(t, eth, buf, ParseEthernet) },
		"vlan":     func() { roundTrip(t, eth, buf, ParseVLAN) },
		"arp":      func() { roundTrip(t, arp, buf, ParseARP) },
		"ipv4":     func() { roundTrip(t, l3, buf, ParseIPv4) },
		"ipv6":     func() { roundTrip(t, l3v6, buf, ParseIPv6) },
		"udp":      func() { roundTrip(t, udp, buf, ParseUDP) },
		"tcp":      func() { roundTrip(t, tcp, buf, ParseTCP) },
		"icmpv4":   func() { roundTrip(t, icmp4, buf, ParseICMPv4) },
		"icmpv6":   func() { roundTrip(t, icmp6, buf, ParseICMPv6) },
		"nd":       func() { roundTrip(t, nd, buf, ParseND) },
		"extensions": func() {
			if h, _, err := ParseIPv6Extensions(ProtoHopByHop, l3v6[IPv6Len:]); err != nil || h.Len != 8 {
				t.Errorf("%+v, %v", h, err)
			}
		},
		"options": func() {
			if _, found, err := LinkAddr(nd[NDLen:], NDTargetLinkAddr); err != nil || !found {
				t.Errorf("%v, %v", found, err)
			}
		},
		"checksum": func() { TransportChecksum(router6, host6, ProtoICMPv6, nd) },
	} {
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func roundTrip[H header](t *testing.T, b, buf []byte, parse func([]byte) (H, []byte, error)) {
	h, _, err := parse(b)
	if err != nil {
		t.Error(err)
	}
	h.Append(buf)
}

func BenchmarkParseTCPOverIPv4(b *testing.B) {
	p := frame(b, "tcp4-data")
	for b.Loop() {
		_, p, _ := ParseEthernet(p)
		_, p, _ = ParseIPv4(p)
		if _, _, err := ParseTCP(p); err != nil {
			b.Fatal(err)
		}
	}
}
