package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
)

// Topology says what hosts there are, and what underlay joins them. It is a value;
// [Build] makes it.
type Topology struct {
	// Name tells labs on one machine apart: 1 to 20 lower-case letters,
	// digits and dashes. Required.
	Name     string
	Segments []Segment
	Machines []Machine
}

// Segment is a broadcast domain of the underlay.
type Segment struct {
	// Name has 1 to 8 lower-case letters and digits. Required.
	Name string
	// MTU of the NICs on the segment, in bytes; 0 is 1500.
	MTU int
	// Cable makes the segment a veth pair between exactly two NICs, without a bridge:
	// the shortest way there is, for measurements.
	Cable bool
}

// Machine is a host or a router.
type Machine struct {
	// Name has 1 to 8 lower-case letters and digits, and is not "underlay".
	// Required.
	Name string
	// NICs are called eth0, eth1, … in their order.
	NICs []NIC
	// Gateways are the next hops of the default routes: none, or one for each
	// family. Each is on a segment of one of the NICs.
	Gateways []netip.Addr
	// Router makes the machine forward IPv4 and IPv6.
	Router bool
}

// NIC is a machine's interface to a segment.
type NIC struct {
	Segment string
	// Addresses have the segment's prefix length. They are usable at once:
	// nothing in a lab waits for duplicate address detection.
	Addresses []netip.Prefix
}

// Demo is the underlay of Weft's demonstration and of its end-to-end tests: hosts
// a and b share a segment, host c is behind the router r.
func Demo(name string) Topology {
	nic := func(segment, v4, v6 string) NIC {
		return NIC{Segment: segment, Addresses: []netip.Prefix{netip.MustParsePrefix(v4), netip.MustParsePrefix(v6)}}
	}
	near := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8:1::1")}
	far := []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8:2::1")}
	return Topology{
		Name:     name,
		Segments: []Segment{{Name: "near"}, {Name: "far"}},
		Machines: []Machine{
			{Name: "a", NICs: []NIC{nic("near", "192.0.2.11/24", "2001:db8:1::11/64")}, Gateways: near},
			{Name: "b", NICs: []NIC{nic("near", "192.0.2.12/24", "2001:db8:1::12/64")}, Gateways: near},
			{Name: "c", NICs: []NIC{nic("far", "198.51.100.13/24", "2001:db8:2::13/64")}, Gateways: far},
			{Name: "r", Router: true, NICs: []NIC{
				nic("near", "192.0.2.1/24", "2001:db8:1::1/64"),
				nic("far", "198.51.100.1/24", "2001:db8:2::1/64"),
			}},
		},
	}
}

// underlay is the name of the namespace that holds the segments' bridges. No
// machine has it.
const underlay = "underlay"

var (
	labName   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$`)
	shortName = regexp.MustCompile(`^[a-z0-9]{1,8}$`)
)

// Validate says what is wrong with the topology: nil, or all of it.
func (t Topology) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !labName.MatchString(t.Name) {
		wrong("lab name %q: want 1 to 20 lower-case letters, digits and dashes", t.Name)
	}
	segments, machines := map[string]bool{}, map[string]bool{underlay: true}
	for _, s := range t.Segments {
		if n := t.plugged(s.Name); s.Cable && n != 2 {
			wrong("segment %s: a cable has 2 ends, not %d", s.Name, n)
		}
	}
	for _, s := range t.Segments {
		if !shortName.MatchString(s.Name) || segments[s.Name] {
			wrong("segment %q: want 1 to 8 lower-case letters and digits, once", s.Name)
		}
		segments[s.Name] = true
		if s.MTU != 0 && s.MTU < 1280 {
			wrong("segment %s: MTU %d is below IPv6's 1280", s.Name, s.MTU)
		}
	}
	for _, m := range t.Machines {
		if !shortName.MatchString(m.Name) || machines[m.Name] {
			wrong("machine %q: want 1 to 8 lower-case letters and digits, once, and not %q", m.Name, underlay)
		}
		machines[m.Name] = true
		for _, err := range m.validate(segments) {
			wrong("machine %s: %w", m.Name, err)
		}
	}
	return errors.Join(errs...)
}

// plugged counts the NICs on a segment.
func (t Topology) plugged(segment string) (n int) {
	for _, m := range t.Machines {
		for _, nic := range m.NICs {
			if nic.Segment == segment {
				n++
			}
		}
	}
	return n
}

// cable says whether a segment is one.
func (t Topology) cable(segment string) bool {
	return slices.ContainsFunc(t.Segments, func(s Segment) bool { return s.Name == segment && s.Cable })
}

func (m Machine) validate(segments map[string]bool) (errs []error) {
	var reachable []netip.Prefix
	for i, nic := range m.NICs {
		if !segments[nic.Segment] {
			errs = append(errs, fmt.Errorf("eth%d: no segment %q", i, nic.Segment))
		}
		for _, a := range nic.Addresses {
			if !a.IsValid() {
				errs = append(errs, fmt.Errorf("eth%d: an address is not set", i))
			}
		}
		reachable = append(reachable, nic.Addresses...)
	}
	for _, gw := range m.Gateways {
		if !slices.ContainsFunc(reachable, func(p netip.Prefix) bool { return p.Contains(gw) }) {
			errs = append(errs, fmt.Errorf("gateway %v: on no segment of the machine", gw))
		}
	}
	return errs
}
