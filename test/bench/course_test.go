package bench

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"

	"weft/lab"
	"weft/overlay"
)

// end is a workload of a course on a host.
type end struct {
	host     *lab.Host
	workload *lab.Namespace
}

// ends makes a workload on each of two hosts.
func ends(name string, hosts [2]*lab.Host) ([2]end, error) {
	var both [2]end
	for i, h := range hosts {
		w, err := h.Workload(name)
		if err != nil {
			return both, err
		}
		both[i] = end{h, w}
	}
	return both, nil
}

// name of the workload as ip netns knows it.
func (e end) name() string { return filepath.Base(e.workload.Path()) }

// underlay is the host's IPv4 address.
func (e end) underlay() netip.Addr { return e.host.Machine().NICs[0].Addresses[0].Addr() }

// script runs commands, a line each: on the host, or, when the line begins with
// "in ", in the workload.
func (e end) script(ctx context.Context, text string) error {
	for line := range strings.Lines(text) {
		argv := strings.Fields(line)
		at := &e.host.Namespace
		if len(argv) > 0 && argv[0] == "in" {
			at, argv = e.workload, argv[1:]
		}
		if len(argv) == 0 {
			continue
		}
		if _, err := at.Run(ctx, argv...); err != nil {
			return err
		}
	}
	return nil
}

// byHand joins a workload on each of two hosts as the usual instructions have
// it, a bridge and a vxlan device on the host, without br_netfilter, which would
// only slow it down. Port and VNI are others than Weft's, so that both are there
// at once.
func byHand(ctx context.Context, hosts [2]*lab.Host) (course, error) {
	both, err := ends("hand", hosts)
	if err != nil {
		return course{}, err
	}
	for i, e := range both {
		if err := e.script(ctx, fmt.Sprintf(`
			sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0 net.bridge.bridge-nf-call-arptables=0
			ip link add hand-br type bridge
			ip link add hand-vx type vxlan id 77 local %s remote %s dstport 4790
			ip link add hand-port type veth peer name eth0 netns %s
			ip link set hand-vx mtu 1450 master hand-br up
			ip link set hand-port mtu 1450 master hand-br up
			ip link set hand-br up
			in ip link set eth0 mtu 1450 up
			in ip address add 10.77.0.%d/24 dev eth0
			`, e.underlay(), both[1-i].underlay(), e.name(), i+1)); err != nil {
			return course{}, err
		}
	}
	return course{"by hand", both[0].workload, both[1].workload, netip.MustParseAddr("10.77.0.2")}, nil
}

// routed joins a workload on each of two hosts by plain routes, without an
// overlay: what there is to reach.
func routed(ctx context.Context, hosts [2]*lab.Host) (course, error) {
	both, err := ends("plain", hosts)
	if err != nil {
		return course{}, err
	}
	for i, e := range both {
		if err := e.script(ctx, fmt.Sprintf(`
			sysctl -qw net.ipv4.ip_forward=1
			ip link add plain-port type veth peer name eth0 netns %[1]s
			ip link set plain-port up
			ip address add 10.78.%[2]d.1/24 dev plain-port
			ip route add 10.78.%[3]d.0/24 via %[4]s
			in ip link set eth0 up
			in ip address add 10.78.%[2]d.2/24 dev eth0
			in ip route add default via 10.78.%[2]d.1
			`, e.name(), i, 1-i, both[1-i].underlay())); err != nil {
			return course{}, err
		}
	}
	return course{"routed, no overlay", both[0].workload, both[1].workload, netip.MustParseAddr("10.78.1.2")}, nil
}

// woven joins a workload on each of two hosts by a network of Weft's on a plane.
func woven(ctx context.Context, weft *lab.Weft, hosts [2]*lab.Host, plane overlay.PlaneName) (course, error) {
	name := string(plane)
	both, err := ends(name, hosts)
	if err != nil {
		return course{}, err
	}
	if _, err := weft.Run(ctx, hosts[0], "network", "create", name, "--subnet", "10.76.0.0/24", "--plane", name); err != nil {
		return course{}, err
	}
	for i, e := range both {
		ip := fmt.Sprintf("10.76.0.%d", i+11)
		if _, err := weft.Run(ctx, e.host, "endpoint", "attach", name, "--netns", e.workload.Path(), "--ip", ip); err != nil {
			return course{}, err
		}
	}
	return course{"Weft, " + name, both[0].workload, both[1].workload, netip.MustParseAddr("10.76.0.12")}, nil
}
