package demo

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"weft/overlay"
	"weft/trace"
)

// showTables prints what one host has been told.
func (d *demo) showTables(ctx context.Context) error {
	bridged, routed := d.Networks[0].Name, d.Networks[1].Name
	for _, t := range []struct {
		title string
		args  []string
	}{
		{"Host a: the tunnel", []string{"link", bridged}},
		{"Host a: which MAC is behind which host (FDB)", []string{"fdb", bridged}},
		{"Host a: which address has which MAC (neighbours)", []string{"neigh", bridged}},
		{"Host a: which block is on which host (routes)", []string{"route", routed}},
	} {
		if err := d.show(ctx, d.first, t.title, t.args...); err != nil {
			return err
		}
	}
	return nil
}

// captureTime bounds the wait for the packet.
const captureTime = 5 * time.Second

// showPacket captures one VXLAN packet on host a's NIC and takes it apart.
func (d *demo) showPacket(ctx context.Context) error {
	from, to := d.workloads[0], d.onHost("b", d.Networks[0].Name)
	ctx, cancel := context.WithTimeout(ctx, captureTime)
	defer cancel()
	capture, err := trace.Open(trace.Options{Enter: d.first.Do, Interface: "eth0", Ports: []uint16{overlay.DefaultVXLANPort}})
	if err != nil {
		return err
	}
	defer capture.Close()
	target := netip.AddrPortFrom(to.addresses[0], probePort)
	if _, err := from.ns.Run(ctx, "ping", "-c", "1", "-W", "2", target.Addr().String()); err != nil {
		return err
	}
	for frame, err := range capture.Frames(ctx) {
		if err != nil {
			return err
		}
		layers := trace.Decode(frame.Data, overlay.DefaultVXLANPort)
		if !carries(layers, d.Networks[0].VNI, target.Addr()) {
			continue
		}
		d.title(fmt.Sprintf("On the wire between host a and host b: %s pings %s", from.name, to.name))
		d.text("%s", trace.Text(layers, frame.Data, trace.TextOptions{}))
		return nil
	}
	return fmt.Errorf("capture: no packet of %s to %s on host a's eth0 in %v", from.name, to.name, captureTime)
}

func (d *demo) onHost(host, network string) *workload {
	for _, w := range d.workloads {
		if w.host.Name() == host && w.network == network {
			return w
		}
	}
	return nil
}

// carries reports whether the packet is of the network and for the address inside.
func carries(layers []trace.Layer, vni overlay.VNI, to netip.Addr) bool {
	tunnel, ok := trace.Find(layers, trace.VXLAN, 0)
	name := trace.IPv4
	if overlay.FamilyOf(to) == overlay.V6 {
		name = trace.IPv6
	}
	for n := 0; ok && n < 2; n++ {
		if inner, found := trace.Find(layers, name, n); found && inner.Depth > 0 {
			return tunnel.Value("vni") == vni.String() && inner.Value("destination") == to.String()
		}
	}
	return false
}

// showCommands prints the commands that would have built a's part by hand. Those of the
// filters are as many as all others: who wants to see them is told how.
func (d *demo) showCommands(ctx context.Context) error {
	name := d.Networks[0].Name
	out, err := d.weft.Run(ctx, d.first, "explain", name)
	if err != nil {
		return err
	}
	d.title("The same by hand: what Weft did on host a for " + name)
	d.text("a$ weft explain %s | grep -v nft\n", name)
	filters := 0
	for line := range strings.Lines(out) {
		if strings.Contains(line, "nft") {
			filters++
			continue
		}
		d.text("%s", line)
	}
	d.text("(without grep it prints the %d nft commands of the filters, too)\n", filters)
	return nil
}
