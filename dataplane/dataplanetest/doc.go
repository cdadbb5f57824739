// Package dataplanetest is the contract of dataplane.Plane: one State, any
// plane, the same deliveries.
//
// [Forward] is the contract as a program: State and frame in, deliveries and
// drop reason out. It is written to be read beside the RFCs and not to be
// fast; every rule stands in one place with its source. [Memory] makes a Plane of it.
// [Run] holds any plane to the contract: it injects frames at ports and at
// the underlay of a [Harness] and compares every delivery byte for byte and
// every drop reason; first in tables whose expectations are written out by
// hand, then with random States and frames against Forward.
//
// A frame at a port is an Ethernet frame without FCS. A packet at the underlay
// begins with its outer IP header: what carries it there is the underlay's
// business. What planes may do differently is the list [Differences], and nothing
// beyond that. [Run] is about VXLAN; a plane that does another encapsulation is held to
// [RunEncapsulation] too.
//
// [Fuzz] injects arbitrary bytes, and wants nothing delivered to whom Forward gives nothing.
// [RunDifferential] has two planes do the same where the contract has no word; what each of the two
// that there are does there that the other does not is the list [Divergences].
//
// The contract says nothing about frames that are the host's affair or that
// standards leave open, and [Run] does not send any: IP options and
// extension headers (but a tunnel encapsulation limit outside), GRE's sequence numbers
// and right checksums, reserved multicast addresses (01:80:c2:00:00:0x, IEEE 802.1Q
// 8.6.3), oversized frames that no ICMP error may answer, packets to oneself by way
// of a router, and what a gateway says beyond ARP, ND and ping.
//
// Do not add knowledge of any one plane: a difference that a plane needs is
// a line in Differences with its reason, or a bug in the plane. Divergences alone names planes.
package dataplanetest
