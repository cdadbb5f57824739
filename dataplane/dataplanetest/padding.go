package dataplanetest

import (
	"bytes"

	"weft/encap"
	"weft/packet"
)

// unpadded is a delivery without what stood behind the IP packet, which the kernel's firewall
// takes off, and a router has to (RFC 894), and a switch need not; and without the zeros
// that programs have to put behind what is shorter than an IP header.
func unpadded(d Delivery) Delivery {
	if d.At != Underlay {
		d.Bytes = withoutPadding(d.Bytes)
		return d
	}
	if o, inner, err := readTunnel(d.Bytes); err == nil && o.Inner == packet.TypeTEB {
		d.Bytes = encap.Wrap(o, withoutPadding(inner))
	}
	return d
}

func withoutPadding(b []byte) []byte {
	const short = packet.EthernetLen + packet.IPv4MinLen
	f, err := parseFrame(b)
	if err != nil {
		return b
	}
	if p, ok := f.ip(); ok {
		return b[:packet.EthernetLen+len(p.bytes)]
	}
	if len(b) <= short {
		return b[:packet.EthernetLen+len(bytes.TrimRight(f.body, "\x00"))]
	}
	return b
}
