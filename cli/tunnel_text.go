package cli

import (
	"fmt"
	"strings"

	"weft/overlay"
)

func vniOf(s overlay.TunnelSpec) string {
	if s.VNI == 0 {
		return ""
	}
	return s.VNI.String()
}

func sourcePortsText(s overlay.TunnelSpec) string {
	if s.SourcePorts == nil {
		return ""
	}
	return s.SourcePorts.String()
}

// keysText is GRE's keys, "in 0.17.17.17, out 0.34.34.34".
func keysText(s overlay.TunnelSpec) string {
	var words []string
	if s.InKey != nil {
		words = append(words, "in "+s.InKey.String())
	}
	if s.OutKey != nil {
		words = append(words, "out "+s.OutKey.String())
	}
	return strings.Join(words, ", ")
}

// optionsText names what is switched on or off, in the words of ip-link(8).
func optionsText(s overlay.TunnelSpec) string {
	var words []string
	for _, o := range []struct {
		on   bool
		word string
	}{
		{s.InChecksum, "icsum"}, {s.OutChecksum, "ocsum"}, {s.InSequence, "iseq"}, {s.OutSequence, "oseq"},
		{s.NoPMTUDiscovery, "nopmtudisc"}, {s.Proxy, "proxy"},
		{s.Learning != nil && !*s.Learning, "nolearning"},
		{s.UDPChecksum != nil && *s.UDPChecksum, "udpcsum"}, {s.UDPChecksum != nil && !*s.UDPChecksum, "noudpcsum"},
	} {
		if o.on {
			words = append(words, o.word)
		}
	}
	return strings.Join(words, " ")
}

// fdbLines, neighborLines and routeLines are a line for each entry.
func fdbLines(s overlay.TunnelSpec) string {
	var lines []string
	for _, e := range s.FDB {
		lines = append(lines, fmt.Sprintf("%s dst %s", e.MAC, e.VTEP))
	}
	return strings.Join(lines, "\n")
}

func neighborLines(s overlay.TunnelSpec) string {
	var lines []string
	for _, n := range s.Neighbors {
		lines = append(lines, fmt.Sprintf("%s lladdr %s", n.Address, n.MAC))
	}
	return strings.Join(lines, "\n")
}

func routeLines(s overlay.TunnelSpec) string {
	var lines []string
	for _, r := range s.Routes {
		line := r.Prefix.String()
		if r.Via.IsValid() {
			line += " via " + r.Via.String()
		}
		if r.Metric != 0 {
			line += fmt.Sprintf(" metric %d", r.Metric)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// keepAliveText is "10.1.1.2 every 500ms, 3 misses".
func keepAliveText(s overlay.TunnelSpec) string {
	if s.KeepAlive == nil {
		return ""
	}
	return fmt.Sprintf("%s every %s, %d misses", s.KeepAlive.Target, s.KeepAlive.Interval(), s.KeepAlive.Misses)
}
