package kernel

import "weft/dataplane"

// publishedBehind adds the stations that the registry has behind a segment port.
func (l lowering) publishedBehind(p dataplane.Port) {
	for _, mac := range p.Stations {
		l.Published[StationKey{l.link(bridgeName), mac}] = p.Device
	}
}
