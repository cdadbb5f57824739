package plan

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"weft/dataplane"
	"weft/overlay"
)

// ports are the ports of this node's endpoints.
func (f *frame) ports(local []*overlay.Endpoint, device map[portKey]string) map[overlay.EndpointName]dataplane.Port {
	f.portProblems = nil
	ports := make(map[overlay.EndpointName]dataplane.Port, len(local))
	behind := f.behind(local)
	for _, e := range local {
		if p, ok := f.port(e, device); ok {
			if p.Kind == overlay.PortSegment {
				p.Stations = behind[p.Name]
			}
			ports[p.Name] = p
		}
	}
	return ports
}

// behind are the published stations of this node by the port that they are behind.
func (f *frame) behind(local []*overlay.Endpoint) map[overlay.EndpointName][]overlay.MAC {
	behind := map[overlay.EndpointName][]overlay.MAC{}
	for _, e := range local {
		if !isPort(e) && f.hasMAC(e) {
			behind[e.Spec.Via] = append(behind[e.Spec.Via], e.Spec.MAC)
		}
	}
	for port, macs := range behind {
		slices.SortFunc(macs, func(a, b overlay.MAC) int { return bytes.Compare(a[:], b[:]) })
		behind[port] = slices.Compact(macs)
	}
	return behind
}

// port is the port of an endpoint of this node; false for whatever has none.
func (f *frame) port(e *overlay.Endpoint, device map[portKey]string) (dataplane.Port, bool) {
	if !isPort(e) {
		return dataplane.Port{}, false
	}
	if e.Spec.Attach.Type == overlay.AttachTunnel {
		return f.tunnelPort(e)
	}
	if e.Spec.Port == overlay.PortSegment && f.Kind == overlay.Routed {
		f.portProblems = append(f.portProblems, fmt.Sprintf("endpoint %s: a bridge cannot be attached to a routed network", e.Name))
		return dataplane.Port{}, false
	}
	p := dataplane.Port{
		Name:   overlay.EndpointName(e.Name),
		Kind:   e.Spec.Port,
		MAC:    e.Spec.MAC,
		Attach: e.Spec.Attach,
		Device: device[keyOf(e)],
	}
	if p.Kind == overlay.PortSingle {
		p.Addresses = e.IPs()
		p.Allowed = slices.Clone(p.Addresses)
	}
	return p, true
}

// portKey identifies an endpoint among those of all networks.
type portKey struct {
	network  overlay.NetworkName
	endpoint overlay.EndpointName
}

func keyOf(e *overlay.Endpoint) portKey {
	return portKey{e.Network, overlay.EndpointName(e.Name)}
}

func (k portKey) compare(o portKey) int {
	return cmp.Or(cmp.Compare(k.network, o.network), cmp.Compare(k.endpoint, o.endpoint))
}

// hashName makes a device name, 12 characters of the 15 that there are, from a
// port's key and the number of names that were taken before.
func hashName(k portKey, attempt int) string {
	text := string(k.network) + "/" + string(k.endpoint)
	if attempt > 0 {
		text += "/" + strconv.Itoa(attempt)
	}
	sum := sha256.Sum256([]byte(text))
	return "wf" + hex.EncodeToString(sum[:5])
}

// devices names the ports. Of two whose names collide the first by key has it
// and the other tries its next, so the answer depends on the set alone.
func devices(keys map[portKey]struct{}, name func(portKey, int) string) map[portKey]string {
	named, taken := make(map[portKey]string, len(keys)), make(map[string]bool, len(keys))
	for _, k := range slices.SortedFunc(maps.Keys(keys), portKey.compare) {
		device := name(k, 0)
		for attempt := 1; taken[device]; attempt++ {
			device = name(k, attempt)
		}
		named[k], taken[device] = device, true
	}
	return named
}
