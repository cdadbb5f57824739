package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"weft/internal/testenv"
	"weft/lab"
	"weft/overlay"
)

// onlyV6 takes IPv4 from the underlay.
func onlyV6(t *lab.Topology) {
	for i := range t.Machines {
		m := &t.Machines[i]
		m.Gateways = slices.DeleteFunc(slices.Clone(m.Gateways), netip.Addr.Is4)
		for j := range m.NICs {
			m.NICs[j].Addresses = slices.DeleteFunc(m.NICs[j].Addresses, func(p netip.Prefix) bool { return p.Addr().Is4() })
		}
	}
}

// TestUnderlayWithoutIPv4: hosts that have only IPv6 join, and in both kinds of
// networks all workloads reach each other, over IPv4 too.
func TestUnderlayWithoutIPv4(t *testing.T) {
	t.Parallel()
	s := begin(t, onlyV6)
	for i, kind := range kinds {
		name := string(kind)
		s.a.weft("network create %s --kind %s --subnet 10.%d.0.0/16 --subnet6 fd00:%d::/48", name, kind, i, i)
		n := network{t, kind, defaultMTU - overhead[overlay.V6], s.attachEverywhere(name)}
		n.reachesAll()
		n.reachesGateways()
		n.carriesTheLargest()
	}
	s.a.try("network create old --underlay v4 --subnet 10.9.0.0/16").warned(t)
	ns := s.a.namespace("old")
	s.a.try("endpoint attach old --netns %s", nameOf(ns)).refused(t, 1, "network old", "node, a, has no v4 underlay address")
	s.settled()
}

// smallMTU is that of the segment behind the router in TestSmallUnderlay.
const smallMTU = 1400

// TestSmallUnderlay: one host has an underlay of 1400 bytes. All ports get what fits
// through there, and such packets pass unbroken between all hosts. A machine with a
// larger MTU of its own hears of it on that host; on the others, whose underlay takes
// more, its packets arrive or it hears of it: none vanishes.
func TestSmallUnderlay(t *testing.T) {
	t.Parallel()
	s := begin(t, func(t *lab.Topology) { t.Segments[1].MTU = smallMTU })
	for i, underlay := range families {
		kind, number := kinds[i], i
		name := fmt.Sprintf("%.1s-over-%s", kind, underlay)
		s.a.weft("network create %s --kind %s --underlay %s --subnet 10.%d.0.0/16 --subnet6 fd00:%d::/48", name, kind, underlay, number, number)
		device := fmt.Sprintf("dev%d", number)
		near, far := s.b.lend(name, device), s.c.lend(name, device)
		s.settled() // the members are known, and so is the MTU
		n := network{t, kind, smallMTU - overhead[underlay], []*workload{s.a.attach(name), s.c.attach(name)}}
		for _, w := range []*workload{near, far} {
			w.MTU = n.mtu
			w.configure(map[overlay.NetworkKind]map[overlay.Family]int{
				overlay.Routed: alone, overlay.Bridged: {overlay.V4: 16, overlay.V6: 48},
			}[kind])
			n.all = append(n.all, w)
		}
		s.settled()
		n.reachesAll()
		n.carriesTheLargest()
		for _, w := range []*workload{near, far} {
			testenv.Run(t, w.Path(), "ip", "link", "set", "eth0", "mtu", "1500")
		}
		for _, f := range families {
			for _, to := range n.all[:2] {
				target := to.address(f).String()
				testenv.Eventually(t, patience, func() error { // the first one may be lost, from which its host learns
					err := ping(t.Context(), near.Namespace, target, unbroken(f, n.mtu+1)...)
					if err != nil {
						err = tooLarge(t.Context(), near.Namespace, target, f, n.mtu)
					}
					return err
				}, name+" from "+near.name+" to "+to.name)
			}
			if err := tooLarge(t.Context(), far.Namespace, n.all[0].address(f).String(), f, n.mtu); err != nil {
				t.Errorf("%s with an MTU of 1500: %v", name, err)
			}
		}
	}
}
