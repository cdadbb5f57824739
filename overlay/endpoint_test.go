package overlay

import (
	"net/netip"
	"reflect"
	"testing"
)

func endpoint(change func(*EndpointSpec)) *Endpoint {
	e := &Endpoint{Meta: Meta{Kind: KindEndpoint, Network: "blue", Name: "web"}, Spec: EndpointSpec{
		Node: "a", Port: PortSingle, MAC: MAC{2, 0, 0, 0, 0, 2}, Addresses: addresses("10.7.0.2", "fd07::2"),
		Attach: Attach{Type: AttachNetns, Target: "/run/netns/web"},
	}}
	change(&e.Spec)
	return e
}

func segment(s *EndpointSpec) {
	*s = EndpointSpec{Node: "a", Port: PortSegment, Attach: Attach{Type: AttachBridge, Target: "docker0"}}
}

func station(s *EndpointSpec) {
	*s = EndpointSpec{Node: "a", Port: PortStation, MAC: MAC{2, 0, 0, 0, 0, 9}, Via: "docker"}
}

func TestEndpointValidate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*EndpointSpec)
		want   string
	}{
		{"namespace", func(*EndpointSpec) {}, ""},
		{"request without MAC and addresses", func(s *EndpointSpec) { s.MAC, s.Addresses = MAC{}, nil }, ""},
		{"tap", func(s *EndpointSpec) { s.Attach = Attach{Type: AttachTap, Target: "tap0"} }, ""},
		{"veth", func(s *EndpointSpec) { s.Attach = Attach{Type: AttachVeth, Target: "veth0"} }, ""},
		{"bridge", segment, ""},
		{"station", station, ""},
		{"station with two of a family", func(s *EndpointSpec) { station(s); s.Addresses = addresses("10.7.0.9", "10.7.0.10") }, ""},
		{"kept", func(s *EndpointSpec) { s.Lifetime = Kept }, ""},
		{"node", func(s *EndpointSpec) { s.Node = "" }, "node: the name is missing"},
		{"port", func(s *EndpointSpec) { s.Port = "host" }, `endpoint web: port "host": want single, segment or station`},
		{"segment with MAC", func(s *EndpointSpec) { segment(s); s.MAC = MAC{2} }, "endpoint web: a bridge's stations have their own addresses: give neither MAC nor IP"},
		{"segment with address", func(s *EndpointSpec) { segment(s); s.Addresses = addresses("10.7.0.9") }, "endpoint web: a bridge's stations have their own addresses: give neither MAC nor IP"},
		{"segment that is no bridge", func(s *EndpointSpec) { segment(s); s.Attach = Attach{Type: AttachTap, Target: "tap0"} },
			"endpoint web: a bridge is a segment port, and nothing else is"},
		{"bridge that is no segment", func(s *EndpointSpec) { s.Attach = Attach{Type: AttachBridge, Target: "docker0"} },
			"endpoint web: a bridge is a segment port, and nothing else is"},
		{"station without port", func(s *EndpointSpec) { station(s); s.Via = "" }, "endpoint web: a station has a unicast MAC and the port that it is behind"},
		{"station without MAC", func(s *EndpointSpec) { station(s); s.MAC = MAC{} }, "endpoint web: a station has a unicast MAC and the port that it is behind"},
		{"station with multicast MAC", func(s *EndpointSpec) { station(s); s.MAC = MAC{1, 0, 0x5e} }, "endpoint web: a station has a unicast MAC and the port that it is behind"},
		{"behind a port", func(s *EndpointSpec) { s.Via = "docker" }, "endpoint web: only stations are behind a port"},
		{"multicast MAC", func(s *EndpointSpec) { s.MAC = MAC{3, 0, 0, 0, 0, 2} }, "endpoint web: MAC 03:00:00:00:00:02 is a multicast address; the first octet must be even"},
		{"lifetime", func(s *EndpointSpec) { s.Lifetime = "forever" }, `endpoint web: lifetime "forever": want bound or kept`},
		{"attach type", func(s *EndpointSpec) { s.Attach.Type = "macvlan" }, `endpoint web: attach type "macvlan": want netns, tap, veth or bridge`},
		{"no attach", func(s *EndpointSpec) { s.Attach = Attach{} }, `endpoint web: attach type "": want netns, tap, veth or bridge`},
		{"no namespace", func(s *EndpointSpec) { s.Attach.Target = "" }, "endpoint web: the namespace is missing"},
		{"interface", func(s *EndpointSpec) { s.Attach.Interface = "a/b" }, `endpoint web: interface "a/b": not an interface name; want letters, digits, dots and dashes`},
		{"tap name", func(s *EndpointSpec) { s.Attach = Attach{Type: AttachTap, Target: "a-name-too-long-for-the-kernel"} },
			`endpoint web: tap "a-name-too-long-for-the-kernel": an interface name has at most 15 characters`},
		{"no veth name", func(s *EndpointSpec) { s.Attach = Attach{Type: AttachVeth} }, "endpoint web: veth: the interface name is missing"},
		{"two of a family", func(s *EndpointSpec) { s.Addresses = addresses("10.7.0.2", "10.7.0.3") }, "endpoint web: address 10.7.0.3: an endpoint has at most one address of each family"},
		{"link-local", func(s *EndpointSpec) { s.Addresses = addresses("fe80::1") }, "endpoint web: address fe80::1: want a unicast address without a zone"},
		{"zone", func(s *EndpointSpec) { s.Addresses = addresses("fd07::2%eth0") }, "endpoint web: address fd07::2%eth0: want a unicast address without a zone"},
		{"multicast", func(s *EndpointSpec) { s.Addresses = addresses("224.0.0.1") }, "endpoint web: address 224.0.0.1: want a unicast address without a zone"},
		{"broadcast", func(s *EndpointSpec) { s.Addresses = addresses("255.255.255.255") }, "endpoint web: address 255.255.255.255: want a unicast address without a zone"},
		{"unspecified", func(s *EndpointSpec) { s.Addresses = addresses("0.0.0.0") }, "endpoint web: address 0.0.0.0: want a unicast address without a zone"},
		{"mapped", func(s *EndpointSpec) { s.Addresses = addresses("::ffff:10.7.0.2") }, "endpoint web: address ::ffff:10.7.0.2: want a unicast address without a zone"},
		{"invalid", func(s *EndpointSpec) { s.Addresses = append(s.Addresses[:0:0], zeroAddr) }, "endpoint web: address invalid IP: want a unicast address without a zone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check(t, endpoint(tt.change).Validate(), tt.want)
		})
	}
	e := endpoint(func(*EndpointSpec) {})
	e.Network = "Blue"
	check(t, e.Validate(), `network "Blue": a name has lower-case letters, digits and dashes only`)
	e.Name = ""
	check(t, e.Validate(), "endpoint: the name is missing")
}

var zeroAddr netip.Addr

func TestIPs(t *testing.T) {
	t.Parallel()
	e := endpoint(func(*EndpointSpec) {})
	if got, want := e.IPs(), addresses("10.7.0.2", "fd07::2", "fe80::ff:fe00:2"); !reflect.DeepEqual(got, want) {
		t.Errorf("IPs = %v, want %v", got, want)
	}
	if len(e.Spec.Addresses) != 2 {
		t.Errorf("IPs changed the addresses to %v", e.Spec.Addresses)
	}
	if got := endpoint(segment).IPs(); len(got) != 0 {
		t.Errorf("IPs of a segment = %v", got)
	}
}

func TestStationName(t *testing.T) {
	t.Parallel()
	name := StationName(MAC{2, 0, 0xab, 0, 0, 9})
	if name != "station-0200ab000009" {
		t.Errorf("StationName = %s", name)
	}
	check(t, CheckName("endpoint", string(name)), "")
}
