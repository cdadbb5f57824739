package cli

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"weft/overlay"
)

// value is a flag whose text a function reads. Name is what help texts call it.
type value[T any] struct {
	name  string
	parse func(string) (T, error)
	into  *T
	text  string
	// given: Set was called; many: it may be again.
	given, many bool
}

// String returns what was given.
func (v *value[T]) String() string { return v.text }

// Type names the value in help texts.
func (v *value[T]) Type() string { return v.name }

// Set reads the text.
func (v *value[T]) Set(s string) error {
	if v.given && !v.many {
		return fmt.Errorf("it is given twice, first as %q", v.text)
	}
	parsed, err := v.parse(s)
	if err != nil {
		return err
	}
	*v.into, v.text, v.given = parsed, s, true
	return nil
}

// several makes a flag that may be given several times, or several values with
// commas between them.
func several[T any](name string, parse func(string) (T, error), into *[]T) pflag.Value {
	return &value[[]T]{name: name, into: into, many: true, parse: func(s string) ([]T, error) {
		all := *into
		for text := range strings.SplitSeq(s, ",") {
			v, err := parse(strings.TrimSpace(text))
			if err != nil {
				return nil, err
			}
			all = append(all, v)
		}
		return all, nil
	}}
}

// choice makes a flag that takes one of the given words.
func choice[T ~string](into *T, words ...T) pflag.Value {
	names := make([]string, len(words))
	for i, w := range words {
		names[i] = string(w)
	}
	return &value[T]{name: strings.Join(names, "|"), into: into, text: string(*into), parse: func(s string) (T, error) {
		for _, w := range words {
			if s == string(w) {
				return w, nil
			}
		}
		return "", fmt.Errorf("want %s", strings.Join(names, " or "))
	}}
}

func parseAddress(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	switch {
	case err == nil && a.Zone() == "":
		return a, nil
	case strings.Contains(s, "/"):
		return a, fmt.Errorf("want an address without a prefix length, such as 10.7.0.5 or fd00:7::5")
	}
	return a, fmt.Errorf("want an IP address such as 10.7.0.5 or fd00:7::5")
}

// parsePrefix reads prefixes of one family; elsewhere says what the other
// family's flag is.
func parsePrefix(family overlay.Family, example, elsewhere string) func(string) (netip.Prefix, error) {
	return func(s string) (netip.Prefix, error) {
		p, err := netip.ParsePrefix(s)
		switch {
		case err != nil:
			return p, fmt.Errorf("want a prefix such as %s", example)
		case overlay.FamilyOf(p.Addr()) != family:
			return p, fmt.Errorf("want a prefix such as %s; %s takes the other family's", example, elsewhere)
		case p != p.Masked():
			return p, fmt.Errorf("it has bits set beyond its length; want %s", p.Masked())
		}
		return p, nil
	}
}

func parseMAC(s string) (overlay.MAC, error) {
	m, err := overlay.ParseMAC(s)
	switch {
	case err != nil:
		return m, fmt.Errorf("want six octets such as 02:00:5e:10:00:01")
	case !m.IsUnicast():
		return m, fmt.Errorf("want a unicast MAC: its first octet is even, and it is not zero")
	}
	return m, nil
}

func parseVNI(s string) (overlay.VNI, error) {
	v, err := overlay.ParseVNI(s)
	if err != nil {
		return v, fmt.Errorf("want a number from 1 to %d", overlay.MaxVNI)
	}
	return v, nil
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("want a port from 1 to 65535")
	}
	return uint16(n), nil
}

func parseMTU(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n < overlay.MinMTU {
		return 0, fmt.Errorf("want %d to 65535 bytes", overlay.MinMTU)
	}
	return int(n), nil
}

// parseLength reads a prefix length from low to high.
func parseLength(low, high int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < low || n > high {
			return 0, fmt.Errorf("want a prefix length from %d to %d", low, high)
		}
		return n, nil
	}
}

func parseEndpointName(s string) (overlay.EndpointName, error) {
	return overlay.EndpointName(s), overlay.CheckName("endpoint", s)
}

func parseAgeing(s string) (int, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Second || d > 24*time.Hour || d%time.Second != 0 {
		return 0, fmt.Errorf("want whole seconds up to a day, such as 30s or 5m")
	}
	return int(d / time.Second), nil
}

func parseDevice(s string) (string, error) {
	if err := overlay.CheckInterfaceName("device", s); err != nil {
		return "", fmt.Errorf("want the name of an interface, of at most %d characters", overlay.MaxInterfaceName)
	}
	return s, nil
}

func parsePorts(s string) (*overlay.PortRange, error) {
	r, err := overlay.ParsePortRange(s)
	if err != nil {
		return nil, fmt.Errorf("want a range such as 32768-60999")
	}
	return &r, nil
}

func parseOnOff(s string) (*bool, error) {
	on := s == "on"
	if !on && s != "off" {
		return nil, fmt.Errorf("want on or off")
	}
	return &on, nil
}

// checkFamilies refuses two addresses of one family.
func checkFamilies(addresses []netip.Addr) error {
	seen := map[overlay.Family]netip.Addr{}
	for _, a := range addresses {
		f := overlay.FamilyOf(a)
		if other, twice := seen[f]; twice {
			return fmt.Errorf("--ip %s and %s: an endpoint has at most one address of each family", other, a)
		}
		seen[f] = a
	}
	return nil
}
