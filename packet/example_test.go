package packet_test

import (
	"fmt"
	"net/netip"

	"weft/packet"
)

// A VTEP answers an ARP request itself.
func ExampleParseARP() {
	asker, target := netip.MustParseAddr("10.7.0.2"), netip.MustParseAddr("10.7.0.3")
	frame := packet.ARPRequestFrame([6]byte{2, 0, 0, 0, 0, 2}, asker, target)

	eth, rest, err := packet.ParseEthernet(frame)
	if err != nil || eth.Type != packet.TypeARP {
		return
	}
	question, _, err := packet.ParseARP(rest)
	if err != nil || question.Op != packet.ARPRequest {
		return
	}
	answer := packet.ARPReplyFrame([6]byte{2, 0, 0, 0, 0, 3}, question.TargetIP, question.SenderMAC, question.SenderIP)
	fmt.Printf("%s asks for %s\n", question.SenderIP, question.TargetIP)
	fmt.Printf("%x\n", answer[packet.EthernetLen:])
	// Output:
	// 10.7.0.2 asks for 10.7.0.3
	// 00010800060400020200000000030a0700030200000000020a070002
}

// A router forwards an IPv4 packet: Append computes the checksum anew.
func ExampleIPv4_Append() {
	ends := packet.Ends{Src: netip.MustParseAddr("10.7.0.2"), Dst: netip.MustParseAddr("10.8.0.2"), TTL: 2}
	ip := ends.UDP(5000, 53, []byte("query"))[packet.EthernetLen:]
	for {
		h, payload, err := packet.ParseIPv4(ip)
		if err != nil {
			fmt.Println(err)
			return
		}
		if h.TTL--; h.TTL == 0 {
			break
		}
		fmt.Printf("%s → %s, ttl %d\n", h.Src, h.Dst, h.TTL)
		ip = append(h.Append(nil), payload...)
	}
	back := packet.Ends{Src: netip.MustParseAddr("10.7.0.1"), Dst: ends.Src}
	_, err := packet.TimeExceeded(back, ip)
	fmt.Println("time exceeded:", err)
	// Output:
	// 10.7.0.2 → 10.8.0.2, ttl 1
	// time exceeded: <nil>
}
