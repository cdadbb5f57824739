package packet

import "net/netip"

// MulticastMAC is the Ethernet address of an IP multicast group: 01:00:5e and the
// group's lower 23 bits for IPv4 (RFC 1112 section 6.4), 33:33 and the lower 32
// bits for IPv6 (RFC 2464 section 7).
func MulticastMAC(group netip.Addr) [6]byte {
	a := group.As16()
	if group.Is4() {
		return [6]byte{0x01, 0x00, 0x5e, a[13] & 0x7f, a[14], a[15]}
	}
	return [6]byte{0x33, 0x33, a[12], a[13], a[14], a[15]}
}

// SolicitedNode is the multicast group that solicitations for addr are sent to:
// ff02::1:ff00:0/104 and addr's lower 24 bits (RFC 4291 section 2.7.1).
func SolicitedNode(addr netip.Addr) netip.Addr {
	a := addr.As16()
	return netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 11: 0x01, 12: 0xff, 13: a[13], 14: a[14], 15: a[15]})
}
