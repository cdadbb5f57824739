package cli

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"weft/overlay"
)

func parseOuterTTL(s string) (overlay.TTL, error) {
	t, err := overlay.ParseTTL(s)
	if err != nil || t.IsZero() {
		return t, fmt.Errorf("want 1 to 255, or inherit")
	}
	return t, nil
}

func parseOuterTOS(s string) (overlay.TOS, error) {
	t, err := overlay.ParseTOS(s)
	if err != nil || s == "" {
		return t, fmt.Errorf("want 0 to 0xff, or inherit")
	}
	return t, nil
}

func parseKey(s string) (*overlay.GREKey, error) {
	k, err := overlay.ParseGREKey(s)
	if err != nil {
		return nil, fmt.Errorf("want 0 to 4294967295, such as 0x111111, or four numbers in dots")
	}
	return &k, nil
}

// parseInterfaceAddress reads an address with its prefix length; without one it is a host's.
func parseInterfaceAddress(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("want an address with a prefix length, such as 10.1.1.1/24")
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// parseTunnelRoute reads "10.1.8.0/24,via=1.1.1.2,metric=20".
func parseTunnelRoute(text string) (r overlay.TunnelRoute, err error) {
	prefix, options, _ := strings.Cut(text, ",")
	if r.Prefix, err = netip.ParsePrefix(prefix); err != nil {
		return r, fmt.Errorf("want a prefix such as 10.0.2.0/24, and ,via=ADDRESS or ,metric=N behind it")
	}
	return r, eachOption(options, map[string]func(string) error{
		"via": func(said string) (err error) { r.Via, err = parseAddress(said); return err },
		"metric": func(said string) error {
			n, err := strconv.ParseUint(said, 10, 32)
			if r.Metric = uint32(n); err != nil || n == 0 {
				return fmt.Errorf("want a metric from 1 to 4294967295")
			}
			return nil
		},
	})
}

// parseKeepAlive reads "10.1.1.2,interval=200ms,misses=5".
func parseKeepAlive(text string) (*overlay.KeepAlive, error) {
	target, options, _ := strings.Cut(text, ",")
	var k overlay.KeepAlive
	var err error
	if k.Target, err = parseAddress(target); err != nil {
		return nil, err
	}
	return &k, eachOption(options, map[string]func(string) error{
		"interval": func(said string) error {
			d, err := time.ParseDuration(said)
			if k.IntervalMilliseconds = int(d.Milliseconds()); err != nil || k.IntervalMilliseconds == 0 {
				return fmt.Errorf("want a length of time such as 500ms or 2s")
			}
			return nil
		},
		"misses": func(said string) (err error) {
			if k.Misses, err = strconv.Atoi(said); err != nil || k.Misses < 1 {
				return fmt.Errorf("want a number from 1")
			}
			return nil
		},
	})
}

// eachOption reads "name=value,name=value".
func eachOption(text string, known map[string]func(string) error) error {
	if text == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		name, said, _ := strings.Cut(part, "=")
		set := known[name]
		if set == nil {
			return fmt.Errorf("%q is unknown", part)
		}
		if err := set(said); err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	return nil
}

func parseFDB(text string) (s overlay.TunnelStation, err error) {
	mac, vtep, _ := strings.Cut(text, ",")
	if s.MAC, err = overlay.ParseMAC(mac); err == nil {
		s.VTEP, err = netip.ParseAddr(vtep)
	}
	if err != nil {
		return s, fmt.Errorf("want MAC,VTEP such as 02:00:5e:10:00:01,192.0.2.9")
	}
	return s, nil
}

func parseNeighbor(text string) (n overlay.TunnelNeighbor, err error) {
	address, mac, _ := strings.Cut(text, ",")
	if n.Address, err = netip.ParseAddr(address); err == nil {
		n.MAC, err = overlay.ParseMAC(mac)
	}
	if err != nil {
		return n, fmt.Errorf("want ADDRESS,MAC such as 10.1.1.9,02:00:5e:10:00:01")
	}
	return n, nil
}

func parseTunnelMTU(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n < 68 {
		return 0, fmt.Errorf("want 68 to 65535 bytes")
	}
	return int(n), nil
}

func parseNetworkName(s string) (overlay.NetworkName, error) {
	return overlay.NetworkName(s), overlay.CheckName("network", s)
}

func parseNodeName(s string) (overlay.NodeName, error) {
	return overlay.NodeName(s), overlay.CheckName("node", s)
}
