package overlay

import "fmt"

// Count is a number of packets, and their bytes together. Packets that the host has not yet
// cut into several for the wire, or has put together from several, count once.
type Count struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Plus is the sum of two counts.
func (c Count) Plus(d Count) Count { return Count{c.Packets + d.Packets, c.Bytes + d.Bytes} }

// String is "3 (1.5 kB)", and empty for nothing.
func (c Count) String() string {
	if c == (Count{}) {
		return ""
	}
	return fmt.Sprintf("%d (%s)", c.Packets, bytesText(c.Bytes))
}

// bytesText is a number of bytes with at most four digits, in powers of 1000.
func bytesText(n uint64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	units, of := "kMGTPE", float64(n)/1000
	for of >= 999.95 && len(units) > 1 {
		units, of = units[1:], of/1000
	}
	return fmt.Sprintf("%.1f %cB", of, units[0])
}

// Traffic is what came from a port or a node, whatever became of it, and what was sent
// there. Bytes are those of frames as ports have them, without what is around them in a
// tunnel.
type Traffic struct {
	From Count `json:"from"`
	To   Count `json:"to"`
}

// Plus is the sum of two.
func (t Traffic) Plus(u Traffic) Traffic { return Traffic{t.From.Plus(u.From), t.To.Plus(u.To)} }

// NetworkTraffic is a network's on one node since it was made there: that of all its ports
// and nodes together, those that are gone included. What the plane does not count is nil.
type NetworkTraffic struct {
	Ports *Traffic `json:"ports,omitempty"`
	Nodes *Traffic `json:"nodes,omitempty"`
}
