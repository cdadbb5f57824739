package cli

import (
	"net/netip"
	"slices"

	"github.com/spf13/cobra"

	"weft/overlay"
)

// tunnelFlags are flags that stand for several fields, or for one that may be absent.
type tunnelFlags struct {
	key, inKey, outKey *overlay.GREKey
	checksum, sequence bool
	inSum, outSum      bool
	inOrder, outOrder  bool
}

// add makes the flags of a tunnel. Those of several fields count when into is called.
func (f *tunnelFlags) add(cmd *cobra.Command, t *overlay.Tunnel) {
	s, flags := &t.Spec, cmd.Flags()
	flags.Var(choice(&s.Mode, overlay.TunnelModes()...), "mode", "how packets cross the underlay")
	flags.Var(&value[netip.Addr]{name: "ADDRESS", into: &s.Local, parse: parseAddress}, "local", "outer source address [the node's underlay address]")
	flags.StringVar(&s.Remote, "remote", "", "the peer's `ADDRESS`, its DNS name, or of vxlan a multicast group")
	flags.Var(&value[overlay.TTL]{name: "TTL", into: &s.TTL, parse: parseOuterTTL}, "ttl", "TTL of outer packets, 1 to 255, or inherit [64; of a group 1]")
	flags.Var(&value[overlay.TOS]{name: "TOS", into: &s.TOS, parse: parseOuterTOS}, "tos", "TOS of outer packets, 0 to 0xff, or inherit [inherit]")
	flags.Var(&value[*overlay.GREKey]{name: "KEY", into: &f.key, parse: parseKey}, "key", "GRE key of both directions: a number or four in dots [none]")
	flags.Var(&value[*overlay.GREKey]{name: "KEY", into: &f.inKey, parse: parseKey}, "ikey", "GRE key of packets received [none]")
	flags.Var(&value[*overlay.GREKey]{name: "KEY", into: &f.outKey, parse: parseKey}, "okey", "GRE key of packets sent [none]")
	flags.BoolVar(&f.checksum, "csum", false, "GRE checksums in both directions")
	flags.BoolVar(&f.inSum, "icsum", false, "demand GRE checksums of packets received")
	flags.BoolVar(&f.outSum, "ocsum", false, "send GRE checksums")
	flags.BoolVar(&f.sequence, "seq", false, "GRE sequence numbers in both directions")
	flags.BoolVar(&f.inOrder, "iseq", false, "drop GRE packets that are out of order")
	flags.BoolVar(&f.outOrder, "oseq", false, "number the GRE packets that are sent")
	flags.BoolVar(&s.NoPMTUDiscovery, "no-pmtudisc", false, "send outer IPv4 packets without DF")
	flags.Var(&value[overlay.VNI]{name: "VNI", into: &s.VNI, parse: parseVNI}, "vni", "identifier of vxlan and geneve, 1 to 16777215")
	flags.Var(&value[uint16]{name: "PORT", into: &s.Port, parse: parsePort}, "port", "UDP destination port [vxlan 4789, geneve 6081, udp 8285]")
	flags.Var(&value[*overlay.PortRange]{name: "LOW-HIGH", into: &s.SourcePorts, parse: parsePorts}, "source-ports", "UDP source ports of vxlan [the host's range]")
	flags.Var(&value[*bool]{name: "on|off", into: &s.UDPChecksum, parse: parseOnOff}, "udp-checksum", "compute outer UDP checksums [on, but not on plane ebpf]")
	flags.Var(&value[*bool]{name: "on|off", into: &s.Learning, parse: parseOnOff}, "learning", "learn stations from traffic; vxlan [on]")
	flags.Var(&value[int]{name: "DURATION", into: &s.AgeingSeconds, parse: parseAgeing}, "ageing", "how long a station that was learnt is remembered; vxlan [5m]")
	flags.BoolVar(&s.Proxy, "proxy", false, "answer ARP and ND from the neighbors; vxlan")
	flags.Var(repeated("MAC,VTEP", parseFDB, &s.FDB), "fdb", "station by hand; 00:00:00:00:00:00 is for all others; vxlan")
	flags.Var(repeated("ADDRESS,MAC", parseNeighbor, &s.Neighbors), "neighbor", "permanent neighbor; vxlan, geneve and gretap")
	flags.Var(&value[overlay.MAC]{name: "MAC", into: &s.MAC, parse: parseMAC}, "mac", "MAC of the interface; vxlan, geneve and gretap [chosen]")
	flags.Var(&value[int]{name: "BYTES", into: &s.MTU, parse: parseTunnelMTU}, "mtu", "MTU of the interface [the underlay's less the overhead]")
	flags.Var(&value[string]{name: "DEVICE", into: &s.Underlay, parse: parseDevice}, "underlay", "the node's device that outer packets leave by; a group needs one [as routed]")
	flags.Var(several("PREFIX", parseInterfaceAddress, &s.Addresses), "addr", "address of the interface, with its prefix length")
	flags.Var(repeated("PREFIX[,via=ADDRESS][,metric=N]", parseTunnelRoute, &s.Routes), "route", "prefix that leads through the tunnel")
	flags.Var(&value[*overlay.KeepAlive]{name: "TARGET[,interval=DURATION][,misses=N]", into: &s.KeepAlive, parse: parseKeepAlive},
		"keepalive", "address at the other end to ask whether it is there [nobody is asked; every 500ms, 3 misses]")
	flags.Var(&value[overlay.NetworkName]{name: "NETWORK", into: &t.Network, parse: parseNetworkName}, "network", "attach the tunnel to this network [it stands alone]")
	flags.Var(&value[overlay.NodeName]{name: "NODE", into: &s.Node, parse: parseNodeName}, "node", "where the near end is [this node]")
	flags.Var(&value[string]{name: "DEVICE", into: &s.Device, parse: parseDevice}, "device", "name of the interface [the tunnel's]")
	flags.Var(choice(&s.Plane, overlay.PlaneAuto, overlay.PlaneEBPF, overlay.PlaneKernel, overlay.PlaneUser), "plane", "what forwards [auto]")
}

// into puts what stands for several fields into the spec; of a flag for both directions and
// one for a single direction the latter counts.
func (f *tunnelFlags) into(s *overlay.TunnelSpec) {
	s.InKey, s.OutKey = either(f.inKey, f.key), either(f.outKey, f.key)
	s.InChecksum, s.OutChecksum = f.checksum || f.inSum, f.checksum || f.outSum
	s.InSequence, s.OutSequence = f.sequence || f.inOrder, f.sequence || f.outOrder
}

// repeated makes a flag that may be given several times, one value each.
func repeated[T any](name string, parse func(string) (T, error), into *[]T) *value[[]T] {
	return &value[[]T]{name: name, into: into, many: true, parse: func(text string) ([]T, error) {
		v, err := parse(text)
		return append(slices.Clip(*into), v), err
	}}
}
