// Package packet reads and writes the headers of Ethernet, ARP, IPv4, IPv6,
// UDP, TCP, ICMP and neighbour discovery.
//
// A header is a value. ParseX(b) returns a fresh header and the bytes behind it;
// (h X) Append(b) appends the header's wire form to b. Headers hold no slices of
// the input, so they can be kept, copied and compared with ==; the bytes behind
// a header alias the input, and so does [NDOption].
//
// Parse never panics and never trusts a length: what it returns is inside b, and
// padding behind an IP packet is cut off. It refuses what it does not understand
// by one of the errors of this package, with zero allocations on success. Beside
// [ErrCut] and [ErrChecksum] the header and the bytes that are there come back
// all the same, for those who explain packets; who forwards them drops them.
//
// Who fills in what: Append computes what the header alone determines (IPv4's
// header length and checksum, TCP's data offset). What depends on the payload
// (lengths, and the checksums of UDP, TCP and ICMP) are fields, written as they
// are: Parse does not verify them, because a packet captured on the host that
// sent it has not got its checksum yet. [TransportChecksum] computes and verifies
// them, and the methods of [Ends] build whole frames with everything in place.
//
// In Append the zero netip.Addr is the unspecified address. An IPv6 address in an
// IPv4 header is a programming error and panics as netip's As4 does.
//
// Do not add I/O, state, tunnel headers (package encap) or policy.
package packet
