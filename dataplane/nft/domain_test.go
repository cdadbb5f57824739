package nft

import (
	"net/netip"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

const (
	spoofedMAC = string(overlay.DropSpoofedMAC)
	spoofedIP  = string(overlay.DropSpoofedIP)
)

// from is a packet from an endpoint to another station.
func from(p int, ip string) packet.Ends {
	src := netip.MustParseAddr(ip)
	dst := netip.MustParseAddr("10.7.9.9")
	if src.Is6() {
		dst = netip.MustParseAddr("fd07::9:9")
	}
	return packet.Ends{SrcMAC: endpoint(p).MAC, DstMAC: overlay.MAC{2, 9}, Src: src, Dst: dst}
}

func as(mac overlay.MAC, e packet.Ends) packet.Ends {
	e.SrcMAC = mac
	return e
}

func datagram(e packet.Ends) []byte { return e.UDP(4000, 4001, []byte("hello")) }

// tagged puts a VLAN tag in front of what a frame carries.
func tagged(kind packet.EtherType, id uint16, frame []byte) []byte {
	eth, body, err := packet.ParseEthernet(frame)
	if err != nil {
		panic(err)
	}
	b := packet.VLAN{ID: id, Type: eth.Type}.Append(packet.Ethernet{Dst: eth.Dst, Src: eth.Src, Type: kind}.Append(nil))
	return append(b, body...)
}

// singleFrames are what an endpoint 0 sends, and what becomes of it on its port.
func singleFrames() map[string]struct {
	frame []byte
	fate  string
} {
	own := endpoint(0)
	gateway := overlay.VNI(4097).GatewayMAC()
	theirs, noIP := endpoint(1).MAC, packet.Ethernet{Dst: packet.Broadcast, Src: own.MAC, Type: 0x88b5}.Append(nil)
	advertise := func(source, target string) []byte {
		e := from(0, source)
		e.TTL = 255
		nd := packet.ND{Type: packet.ICMPv6NeighborAdvertisement, Target: netip.MustParseAddr(target)}
		return e.IP(packet.ProtoICMPv6, nd.Append(nil))
	}
	options := []byte{byte(packet.ProtoICMPv6), 0, 1, 4, 0, 0, 0, 0} // destination options: padding
	nd := packet.ND{Type: packet.ICMPv6NeighborAdvertisement, Target: netip.MustParseAddr("fd07::1")}
	alien := packet.ARP{Op: packet.ARPReply, SenderMAC: theirs, SenderIP: own.Addresses[0], TargetMAC: gateway, TargetIP: own.Addresses[0]}
	dhcp := from(0, "0.0.0.0")
	dhcp.DstMAC, dhcp.Dst = packet.Broadcast, netip.MustParseAddr("255.255.255.255")
	return map[string]struct {
		frame []byte
		fate  string
	}{
		"own IPv4":                {datagram(from(0, "10.7.0.16")), passed},
		"own IPv6":                {datagram(from(0, "fd07::10")), passed},
		"own link-local":          {datagram(from(0, own.MAC.LinkLocal().String())), passed},
		"no IP":                   {noIP, passed},
		"IEEE 802.3":              {packet.Ethernet{Dst: packet.Broadcast, Src: own.MAC, Type: 3}.Append(nil), passed},
		"MAC of another port":     {datagram(as(theirs, from(0, "10.7.0.16"))), spoofedMAC},
		"MAC of the gateway":      {datagram(as(gateway, from(0, "10.7.0.16"))), spoofedMAC},
		"MAC of nobody, no IP":    {packet.Ethernet{Src: overlay.MAC{2, 8}, Type: 0x88b5}.Append(nil), spoofedMAC},
		"IPv4 of another port":    {datagram(from(0, "10.7.0.17")), spoofedIP},
		"IPv4 of the gateway":     {datagram(from(0, "10.7.0.1")), spoofedIP},
		"IPv6 of another port":    {datagram(from(0, "fd07::11")), spoofedIP},
		"link-local of another":   {datagram(from(0, theirs.LinkLocal().String())), spoofedIP},
		"ARP request":             {packet.ARPRequestFrame(own.MAC, own.Addresses[0], netip.MustParseAddr("10.7.0.1")), passed},
		"ARP probe":               {packet.ARPRequestFrame(own.MAC, netip.IPv4Unspecified(), own.Addresses[0]), passed},
		"ARP for the gateway":     {packet.ARPReplyFrame(own.MAC, netip.MustParseAddr("10.7.0.1"), theirs, netip.MustParseAddr("10.7.0.17")), spoofedIP},
		"ARP for another MAC":     {append(packet.Ethernet{Dst: theirs, Src: own.MAC, Type: packet.TypeARP}.Append(nil), alien.Append(nil)...), spoofedIP},
		"ARP cut off":             {packet.ARPRequestFrame(own.MAC, own.Addresses[0], own.Addresses[0])[:24], spoofedIP},
		"DHCP":                    {dhcp.UDP(68, 67, []byte("discover")), passed},
		"DHCP of a server":        {dhcp.UDP(67, 68, []byte("offer")), spoofedIP},
		"from 0.0.0.0":            {datagram(dhcp), spoofedIP},
		"IPv4 cut off":            {datagram(from(0, "10.7.0.16"))[:14+14], spoofedIP},
		"IPv6 cut off":            {datagram(from(0, "fd07::10"))[:14+20], spoofedIP},
		"duplicate detection":     {packet.NSFrame(own.MAC, netip.IPv6Unspecified(), own.Addresses[1]), passed},
		"solicitation":            {packet.NSFrame(own.MAC, own.Addresses[1], netip.MustParseAddr("fd07::1")), passed},
		"forged solicitation":     {packet.NSFrame(own.MAC, netip.MustParseAddr("fd07::1"), own.Addresses[1]), spoofedIP},
		"from ::":                 {datagram(from(0, "::")), spoofedIP},
		"advertisement":           {advertise("fd07::10", "fd07::10"), passed},
		"from another of its own": {advertise(own.MAC.LinkLocal().String(), "fd07::10"), passed},
		"of the gateway":          {advertise("fd07::10", "fd07::1"), spoofedIP},
		"of the gateway, from ::": {advertise("::", "fd07::1"), spoofedIP},
		"of another, by its own":  {advertise("fd07::11", "fd07::10"), spoofedIP},
		"behind options":          {from(0, "fd07::10").IP(60, append(options, nd.Append(nil)...)), spoofedIP},
		"tag 0":                   {tagged(packet.TypeVLAN, 0, datagram(from(0, "10.7.0.16"))), passed},
		"tag 7":                   {tagged(packet.TypeVLAN, 7, datagram(from(0, "fd07::10"))), passed},
		"forged behind tag 0":     {tagged(packet.TypeVLAN, 0, datagram(from(0, "10.7.0.17"))), spoofedIP},
		"forged behind 802.1ad":   {tagged(packet.TypeQinQ, 0, datagram(from(0, "fd07::11"))), spoofedIP},
		"forged ARP behind a tag": {tagged(packet.TypeVLAN, 0, packet.ARPRequestFrame(own.MAC, netip.MustParseAddr("10.7.0.1"), own.Addresses[0])), spoofedIP},
		"two tags":                {tagged(packet.TypeVLAN, 0, tagged(packet.TypeVLAN, 0, datagram(from(0, "10.7.0.16")))), spoofedIP},
		"two kinds of tags":       {tagged(packet.TypeQinQ, 1, tagged(packet.TypeVLAN, 0, datagram(from(0, "10.7.0.16")))), spoofedIP},
	}
}

func TestBridgedPorts(t *testing.T) {
	t.Parallel()
	w := newWires(t, Uplink, "we0", "we1", "woffice", "wforeign")
	w.quiet(w.ns)
	testenv.Run(t, w.ns, "ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
	testenv.Run(t, w.ns, "ip", "link", "set", "br0", "up")
	for d := range w.fds {
		testenv.Run(t, w.ns, "ip", "link", "set", d, "master", "br0")
	}
	w.apply(Domain(network(overlay.Bridged, overlay.V4, withSegment)))
	w.witness("bridge", "prerouting")
	for name, c := range singleFrames() {
		t.Run(name, func(t *testing.T) {
			w.TB = t
			w.send("we0", [][]byte{c.frame}, c.fate)
		})
	}
	w.TB = t
	own := datagram(from(0, "10.7.0.16"))
	w.send("we1", [][]byte{own}, spoofedMAC)
	w.send("wforeign", [][]byte{own}, spoofedMAC)
	w.send(Uplink, [][]byte{own}, passed)
	w.send("woffice", [][]byte{own}, spoofedMAC)
	w.send("woffice", [][]byte{datagram(as(overlay.VNI(4097).GatewayMAC(), from(0, "10.7.0.1")))}, spoofedMAC)
	w.send("woffice", [][]byte{datagram(as(overlay.MAC{2, 8}, from(0, "10.7.0.16")))}, passed)

	// Counters outlive every change of what they count, and of everything else.
	before := w.counted()
	w.apply(Domain(network(overlay.Bridged, overlay.V4, withPort(endpoint(2)))))
	if err := equal(before, w.counted()); err != nil {
		t.Error(err)
	}
	w.send("woffice", [][]byte{datagram(as(overlay.MAC{2, 8}, from(0, "10.7.0.16")))}, spoofedMAC)
	w.nft("flush chain bridge weft single-ip")
	w.apply(Domain(network(overlay.Bridged, overlay.V4, withSegment)))
	w.send("we0", [][]byte{datagram(from(0, "10.7.0.17"))}, spoofedIP)
	_, counts, err := w.conn.Observe(nil)
	if err != nil {
		t.Fatal(err)
	}
	for why, n := range counts.Domain() {
		if n != w.counted()[string(why)] {
			t.Errorf("%s: %d, the tool says %d", why, n, w.counted()[string(why)])
		}
	}
}

func TestRoutedPorts(t *testing.T) {
	t.Parallel()
	w := newWires(t, "we0", "we1")
	w.quiet(w.ns)
	w.apply(Domain(network(overlay.Routed, overlay.V4)))
	w.witness("netdev", "ingress device we0")
	for name, c := range singleFrames() {
		t.Run(name, func(t *testing.T) {
			w.TB = t
			w.send("we0", [][]byte{c.frame}, c.fate)
		})
	}
	w.TB = t
	w.send("we1", [][]byte{datagram(from(0, "10.7.0.16"))}, spoofedMAC)

	// A port that is made again is filtered again, by whatever kernel.
	testenv.Run(t, w.ns, "ip", "link", "delete", "we1")
	testenv.Run(t, w.ns, "ip", "link", "add", "we1", "type", "veth", "peer", "name", "we1", "netns", w.far)
	w.apply(Domain(network(overlay.Routed, overlay.V4)))
	testenv.Run(t, w.ns, "ip", "link", "set", "we1", "up")
	testenv.Run(t, w.far, "ip", "link", "set", "we1", "up")
	w.open("we1")
	w.send("we1", [][]byte{datagram(from(1, "10.7.0.16"))}, spoofedIP)
}
