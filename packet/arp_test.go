package packet

import "testing"

func TestARP(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]ARP{
		"arp-request": {Op: ARPRequest, SenderMAC: hostMAC, SenderIP: host4, TargetIP: router4},
		"arp-reply": {
			Op: ARPReply, SenderMAC: routerMAC, SenderIP: router4,
			TargetMAC: hostMAC, TargetIP: host4,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := network(t, name)
			checkParse(t, b, ParseARP, want, 0)
			checkCutOff(t, b, ParseARP)
			padded := append(append([]byte(nil), b...), make([]byte, 18)...)
			checkParse(t, padded, ParseARP, want, 18)
		})
	}
}

func TestARPRefuses(t *testing.T) {
	t.Parallel()
	b := network(t, "arp-request")
	checkRefusals(t, ParseARP, []refusal{
		{"token ring", with(b, 0, 0, 6), ErrUnsupported, "000608000604"},
		{"IPv6", with(b, 2, 0x86, 0xdd), ErrUnsupported, "000186dd0604"},
		{"EUI-64", with(b, 4, 8), ErrUnsupported, "000108000804"},
		{"long addresses", with(b, 5, 255), ErrUnsupported, "0001080006ff"},
	})
}

func TestARPFrames(t *testing.T) {
	t.Parallel()
	checkFrame(t, "arp-request", ARPRequestFrame(hostMAC, host4, router4))
	checkFrame(t, "arp-reply", ARPReplyFrame(routerMAC, router4, hostMAC, host4))
}

func TestARPOpString(t *testing.T) {
	t.Parallel()
	for op, want := range map[ARPOp]string{ARPRequest: "request", ARPReply: "reply", 8: "op 8"} {
		if op.String() != want {
			t.Errorf("%d: got %q, want %q", op, op, want)
		}
	}
}
