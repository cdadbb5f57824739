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

// listen opens the socket on which the workload answers.
func (w *workload) listen() (conn *net.UDPConn, err error) {
	err = w.ns.Do(func() error {
		conn, err = net.ListenUDP("udp", &net.UDPAddr{Port: probePort})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen in %s: %w", w.name, err)
	}
	return conn, nil
}

// answer answers every datagram with the workload's name until the socket is closed.
func (w *workload) answer(conn *net.UDPConn) error {
	buf := make([]byte, 64)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("answer in %s: %w", w.name, err)
		}
		// The question comes back with the name, so that a late answer is told
		// from the next one. Whoever asked and cannot be reached sees none.
		_, err = conn.WriteToUDPAddrPort(append(buf[:n:n], " "+w.name...), from)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
	}
}
