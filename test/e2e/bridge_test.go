package e2e

import (
	"errors"
	"net/netip"
	"strings"

	"weft/internal/testenv"
	"weft/lab"
)

// bridge makes a bridge on the host as Docker makes docker0: with MAC and MTU of its
// own, and rules that let what stays on it pass, since the policy is to drop, and
// unchanged, since all else is masqueraded.
func (h *host) bridge(name string) {
	h.s.t.Helper()
	testenv.Run(h.s.t, h.Path(), "ip", "link", "add", name, "address", "02:42:00:00:00:07", "type", "bridge")
	for _, mtu := range []string{"1400", "1500"} { // set, and not merely what it is, so that no port changes it
		testenv.Run(h.s.t, h.Path(), "ip", "link", "set", name, "mtu", mtu)
	}
	testenv.Run(h.s.t, h.Path(), "ip", "link", "set", name, "addrgenmode", "none", "up")
	for _, iptables := range []string{"iptables", "ip6tables"} {
		testenv.Run(h.s.t, h.Path(), iptables, "-w", "-A", "FORWARD", "-i", name, "-o", name, "-j", "ACCEPT")
		testenv.Run(h.s.t, h.Path(), iptables, "-w", "-t", "nat", "-I", "POSTROUTING", "-o", name, "-j", "ACCEPT")
	}
}

// station makes a namespace on a bridge, with addresses that Weft was never told, and
// returns when it has a carrier.
func (h *host) station(bridge, name string, addresses ...string) *lab.Namespace {
	h.s.t.Helper()
	ns, port := h.namespace(name), "p-"+name
	testenv.Run(h.s.t, h.Path(), "ip", "link", "add", port, "master", bridge, "type", "veth", "peer", "eth0", "netns", nameOf(ns))
	testenv.Run(h.s.t, h.Path(), "ip", "link", "set", port, "addrgenmode", "none", "up")
	testenv.Run(h.s.t, ns.Path(), "ip", "link", "set", "eth0", "mtu", "1450", "up")
	for _, a := range addresses {
		addAddress(h.s.t, ns, netip.MustParsePrefix(a))
	}
	for _, device := range []string{port, bridge} {
		testenv.Eventually(h.s.t, patience, func() error {
			if out := testenv.Output(h.s.t, h.Path(), "ip", "-br", "link", "show", device); !strings.Contains(out, " UP ") {
				return errors.New(out)
			}
			return nil
		}, device+" is up")
	}
	return ns
}
