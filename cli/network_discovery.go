package cli

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"weft/cli/output"
	"weft/overlay"
)

// discoveryFlags adds the flags that say how the members of a network are found, and what the
// packets between them have outside.
func discoveryFlags(flags *pflag.FlagSet, s *overlay.NetworkSpec) {
	flags.Var(choice(&s.Discovery, overlay.DiscoveryRegistry, overlay.DiscoveryStatic, overlay.DiscoveryMulticast),
		"discovery", "how hosts learn who is where [registry]")
	flags.Var(&value[[]overlay.StaticPeer]{name: "PEER", into: &s.Peers, many: true, parse: func(text string) ([]overlay.StaticPeer, error) {
		p, err := parsePeer(text)
		return append(s.Peers, p), err
	}}, "peer", "host that runs no Weft: ADDRESS[,station=MAC[@IP...]...], of a routed network ADDRESS,mac=MAC,block=PREFIX...")
	flags.BoolVar(&s.Learning, "learning", false, "learn stations from traffic; discovery static [multicast always does]")
	flags.Var(&value[int]{name: "DURATION", into: &s.AgeingSeconds, parse: parseAgeing}, "ageing", "how long a station that was learnt is remembered [5m]")
	flags.Var(&value[netip.Addr]{name: "ADDRESS", into: &s.Group, parse: parseAddress}, "group", "multicast group, such as 239.1.1.1 or ff05::100; discovery multicast")
	flags.Var(&value[int]{name: "HOPS", into: &s.TTL, parse: parseHops}, "ttl", "TTL of tunnel packets, 1 to 255 [the hosts' own; multicast 64]")
	flags.Var(&value[string]{name: "DEVICE", into: &s.UnderlayDevice, parse: parseDevice}, "underlay-device", "the hosts' device that tunnel packets leave by; a group needs one [as routed]")
	flags.Var(&value[*overlay.PortRange]{name: "LOW-HIGH", into: &s.SourcePorts, parse: parsePorts}, "source-ports", "UDP source ports of tunnel packets [the hosts' range]")
	flags.Var(&value[*bool]{name: "on|off", into: &s.UDPChecksum, parse: parseOnOff}, "udp-checksum", "compute UDP checksums of tunnel packets [as the plane does]")
}

// parsePeer reads "192.0.2.9,mac=02:…,block=10.244.1.0/24" or "192.0.2.9,station=02:…@10.7.0.9".
func parsePeer(text string) (p overlay.StaticPeer, err error) {
	address, rest, more := strings.Cut(text, ",")
	if p.Address, err = parseAddress(address); err != nil {
		return p, err
	}
	for more {
		var part string
		part, rest, more = strings.Cut(rest, ",")
		what, said, _ := strings.Cut(part, "=")
		switch what {
		case "mac":
			p.VTEPMAC, err = parseMAC(said)
		case "block":
			var b netip.Prefix
			b, err = netip.ParsePrefix(said)
			p.Blocks = append(p.Blocks, b)
		case "station":
			var s overlay.PeerStation
			s, err = parseStation(said)
			p.Stations = append(p.Stations, s)
		default:
			err = fmt.Errorf("want mac=, block= or station=")
		}
		if err != nil {
			return p, fmt.Errorf("%q: %w", part, err)
		}
	}
	return p, nil
}

// parseStation reads "02:00:5e:10:00:01@10.7.0.9@fd00:7::9".
func parseStation(text string) (s overlay.PeerStation, err error) {
	mac, addresses, more := strings.Cut(text, "@")
	if s.MAC, err = parseMAC(mac); err != nil || !more {
		return s, err
	}
	for text := range strings.SplitSeq(addresses, "@") {
		a, err := parseAddress(text)
		if err != nil {
			return s, err
		}
		s.Addresses = append(s.Addresses, a)
	}
	return s, nil
}

func parseHops(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("want 1 to 255")
	}
	return int(n), nil
}

// discoveryText is how a network's members are found.
func discoveryText(n *overlay.Network) string {
	s := n.Spec
	text := string(s.Discovery)
	if s.Group.IsValid() {
		text += fmt.Sprintf(", group %s", s.Group)
	}
	if s.Learning {
		text += fmt.Sprintf(", learning for %s", time.Duration(s.AgeingSeconds)*time.Second)
	}
	return text
}

// outerText is what was said of the packets outside.
func outerText(n *overlay.Network) string {
	s, words := n.Spec, []string{}
	if s.UnderlayDevice != "" {
		words = append(words, "by "+s.UnderlayDevice)
	}
	if s.TTL != 0 {
		words = append(words, fmt.Sprintf("TTL %d", s.TTL))
	}
	if s.SourcePorts != nil {
		words = append(words, "source ports "+s.SourcePorts.String())
	}
	if s.UDPChecksum != nil {
		words = append(words, "UDP checksums "+map[bool]string{true: "on", false: "off"}[*s.UDPChecksum])
	}
	return strings.Join(words, ", ")
}

// peersText is a line for each peer, or several if it has several stations.
func peersText(n *overlay.Network) string {
	var lines []string
	for _, p := range n.Spec.Peers {
		line := p.Address.String()
		if !p.VTEPMAC.IsZero() {
			line += " as " + p.VTEPMAC.String()
		}
		if len(p.Blocks) > 0 {
			line += ": " + output.Join(p.Blocks)
		}
		if len(p.Stations) == 0 {
			lines = append(lines, line)
		}
		for _, s := range p.Stations {
			lines = append(lines, strings.TrimSuffix(line+": "+s.MAC.String()+" "+output.Join(s.Addresses), " "))
		}
	}
	return strings.Join(lines, "\n")
}
