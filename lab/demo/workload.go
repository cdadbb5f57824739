package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"weft/lab"
	"weft/overlay"
)

// workload is a namespace that stands for a container, attached to a network.
type workload struct {
	name      string
	host      *lab.Host
	network   string
	ns        *lab.Namespace
	addresses []netip.Addr
	mac       overlay.MAC
}

// attachWorkloads makes a workload of each network on each host.
func (d *demo) attachWorkloads(ctx context.Context) error {
	for _, h := range d.lab.Hosts() {
		for _, n := range d.Networks {
			ns, err := h.Workload(n.Name)
			if err != nil {
				return err
			}
			w := &workload{name: n.Name + "-" + h.Name(), host: h, network: n.Name, ns: ns}
			if err := d.attach(ctx, w); err != nil {
				return err
			}
			d.workloads = append(d.workloads, w)
		}
	}
	return nil
}

// attach attaches a workload, and takes its addresses from what Weft answers.
func (d *demo) attach(ctx context.Context, w *workload) error {
	args := []string{"endpoint", "attach", w.network, "--netns", netnsName(w.ns.Path()), "--name", w.name}
	out, err := d.weft.Run(ctx, w.host, append(args, "-o", "json")...)
	if err != nil {
		return err
	}
	var made struct {
		Endpoint overlay.Endpoint `json:"endpoint"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		return fmt.Errorf("weft %s: read its answer: %w", strings.Join(args, " "), err)
	}
	w.addresses, w.mac = made.Endpoint.Spec.Addresses, made.Endpoint.Spec.MAC
	if len(w.addresses) == 0 {
		return fmt.Errorf("weft %s: it answered without an address", strings.Join(args, " "))
	}
	d.step("%s$ weft %s", w.host.Name(), strings.Join(args, " "))
	d.note("%s  %s", w.mac, join(w.addresses))
	return nil
}

func join(addresses []netip.Addr) string {
	var s []string
	for _, a := range addresses {
		s = append(s, a.String())
	}
	return strings.Join(s, "  ")
}

// address is the workload's address of a family.
func (w *workload) address(f overlay.Family) (netip.Addr, bool) {
	for _, a := range w.addresses {
		if overlay.FamilyOf(a) == f {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// probePort is the UDP port on which workloads say who they are.
const probePort = 7777

// answer makes the workload answer every datagram with its name until ctx ends.
func (w *workload) answer(ctx context.Context) error {
	var conn *net.UDPConn
	if err := w.ns.Do(func() (err error) {
		conn, err = net.ListenUDP("udp", &net.UDPAddr{Port: probePort})
		return err
	}); err != nil {
		return fmt.Errorf("answer in %s: %w", w.name, err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	buf := make([]byte, 64)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("answer in %s: %w", w.name, err)
		}
		// The question's own text comes back with the name: an answer that is late is told from the next one.
		if _, err := conn.WriteToUDPAddrPort(append(buf[:n:n], " "+w.name...), from); err != nil && !errors.Is(err, net.ErrClosed) {
			continue // unreachable meanwhile: whoever asked sees no answer
		}
	}
}
