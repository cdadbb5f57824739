package e2e

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"weft/lab"
	"weft/overlay"
)

var (
	families = []overlay.Family{overlay.V4, overlay.V6}
	kinds    = []overlay.NetworkKind{overlay.Bridged, overlay.Routed}
	planes   = []overlay.PlaneName{overlay.PlaneKernel, overlay.PlaneEBPF}
)

// overhead of VXLAN, in bytes, over each underlay family.
var overhead = map[overlay.Family]int{overlay.V4: 50, overlay.V6: 70}

// TestNetworks: in both kinds of networks, over both families of the underlay, all
// workloads reach each other and their gateways, over both families and with the
// largest packets.
func TestNetworks(t *testing.T) {
	t.Parallel()
	s := begin(t)
	for i, kind := range kinds {
		for j, underlay := range families {
			// Each host's best plane, which is the eBPF plane; TestPlanes has the other, too.
			name := fmt.Sprintf("%.1s-over-%s", kind, underlay)
			number := 10*i + j
			s.a.weft("network create %s --kind %s --underlay %s --subnet 10.%d.0.0/16 --subnet6 fd00:%d::/48", name, kind, underlay, number, number)
			all := s.attachEverywhere(name)
			s.isOn(name, overlay.PlaneEBPF, "auto: this node has all that it needs")
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				n := network{t, kind, defaultMTU - overhead[underlay], all}
				n.reachesAll()
				n.reachesGateways()
				n.carriesTheLargest()
			})
		}
	}
}

const defaultMTU = 1500

// network is what a network is expected to do.
type network struct {
	*testing.T
	kind overlay.NetworkKind
	mtu  int
	all  []*workload
}

// each runs probes for all pairs of workloads, side by side.
func (n network) each(probe func(ctx context.Context, from, to *workload) error) {
	n.Helper()
	var g errgroup.Group
	g.SetLimit(8)
	for _, from := range n.all {
		for _, to := range n.all {
			if from == to {
				continue
			}
			g.Go(func() error {
				if err := probe(n.Context(), from, to); err != nil {
					return fmt.Errorf("%s to %s: %w", from.name, to.name, err)
				}
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		n.Error(err)
	}
}

func (n network) reachesAll() {
	n.each(func(ctx context.Context, from, to *workload) error {
		targets := []string{to.address(overlay.V4).String(), to.address(overlay.V6).String()}
		if n.kind == overlay.Bridged {
			targets = append(targets, to.linkLocal().String()+"%eth0")
		}
		var errs []error
		for _, target := range targets {
			errs = append(errs, ping(ctx, from.Namespace, target))
		}
		return errors.Join(errs...)
	})
}

func (n network) reachesGateways() {
	for _, w := range n.all {
		if len(w.Gateways) != len(families) {
			n.Errorf("%s: gateways %v", w.name, w.Gateways)
		}
		for _, g := range w.Gateways {
			if err := ping(n.Context(), w.Namespace, g.String()); err != nil {
				n.Error(err)
			}
		}
	}
}

// headers of an echo request, in bytes: IP and ICMP.
var headers = map[overlay.Family]int{overlay.V4: 20 + 8, overlay.V6: 40 + 8}

// carriesTheLargest: packets of the MTU that attach tells pass unbroken, and one byte
// more does not leave.
func (n network) carriesTheLargest() {
	n.each(func(ctx context.Context, from, to *workload) error {
		if from.MTU != n.mtu {
			return fmt.Errorf("MTU %d, want %d", from.MTU, n.mtu)
		}
		var errs []error
		for _, f := range families {
			target := to.address(f).String()
			errs = append(errs, ping(ctx, from.Namespace, target, unbroken(f, n.mtu)...), tooLarge(ctx, from.Namespace, target, f, n.mtu))
		}
		return errors.Join(errs...)
	})
}

// unbroken has ping send a packet of that size that may not be fragmented.
func unbroken(f overlay.Family, size int) []string {
	return []string{"-M", "do", "-s", strconv.Itoa(size - headers[f])}
}

// tooLarge pings with a packet that is a byte larger than the MTU, and returns nil
// if ping hears of that MTU, from its own host or from another.
func tooLarge(ctx context.Context, from *lab.Namespace, to string, f overlay.Family, mtu int) error {
	said, err := from.Run(ctx, append([]string{"ping", "-n", "-c1", "-W1", to}, unbroken(f, mtu+1)...)...)
	if err == nil {
		return fmt.Errorf("%s answers to %d bytes", to, mtu+1)
	}
	for line := range strings.Lines(said + err.Error()) {
		if m := toldMTU.FindStringSubmatch(line); m != nil && m[1] == strconv.Itoa(mtu) {
			return nil
		}
	}
	return fmt.Errorf("%d bytes to %s: want to hear of the MTU %d: %w: %s", mtu+1, to, mtu, err, said)
}

// toldMTU is what ping prints of an EMSGSIZE, of ICMP's "fragmentation needed", and
// of ICMPv6's "packet too big".
var toldMTU = regexp.MustCompile(`(?i)(?:too long|df set|too big).*mtu\s*[=:]\s*(\d+)`)
