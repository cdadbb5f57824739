package dataplane

// Storm control: what a port of a bridged network broadcasts and multicasts to other nodes
// passes a token bucket of its own, whichever the plane. What goes over the rate stays on the
// node, where the other ports get it all the same, and is counted as [overlay.DropStorm].
//
// Every frame is copied once for each member, so a loop behind one port would be a flood for
// all nodes. What people need is far below: ARP, ND and duplicate address detection are
// answered or stay on the node, and DHCP, mDNS (RFC 6762 section 6: a record once a second) and
// the hellos of OSPF (RFC 2328 section C.3: every 10 s) are a few packets a second. The burst
// is what a hundred containers that start behind one port say at once, ten packets each. A loop
// makes 100,000 packets a second and more.
//
// The network's own host is not limited: it limits itself (RFC 4861 section 7.2.2, RFC 1122
// section 2.3.2.1).
const (
	// StormRate is how many packets a port may send to all members in a second.
	StormRate = 1000
	// StormBurst is how many it may send at once.
	StormBurst = 1000
)
