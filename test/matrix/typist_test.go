package matrix

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weft/overlay"
)

// typist joins networks and tunnels of Weft's by a device of the kernel's, as somebody does who
// knows nothing of Weft.
type typist struct {
	leave string // the last one
}

// script joins a row, and leaves the last one: IPv6 tunnels between two addresses exclude each other,
// and to start a program takes a machine long, so there are few.
func (p *typist) script(t testing.TB, r row) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(p.leave)
	p.leave = "ip link delete " + r.device() + "\n"
	if port := r.wrapping(); port != "" {
		b.WriteString(port + "\n")
		p.leave += strings.Replace(port, "fou add", "fou del", 1) + "\n"
	}
	b.WriteString("ip -batch - <<end\n")
	address := ""
	switch {
	case r.form == bridged || r.form == inBridged:
		address = "address " + r.mac(far).String()
	case r.form == routed && r.mode.Ethernet():
		address = "address " + overlay.VTEPMACFor(names[far]).String()
	}
	fmt.Fprintf(&b, "link add %s %s %s\n", r.device(), address, r.link(far))
	if r.option != limited { // the kernel's own is smaller
		fmt.Fprintf(&b, "link set %s mtu %d\n", r.device(), r.mtuAt(t, far))
	}
	for _, f := range r.inside() {
		bits := r.subnet(f).Bits()
		if r.routes() {
			bits = r.address(far, f).BitLen()
		}
		fmt.Fprintf(&b, "address add %s/%d dev %s%s\n", r.address(far, f), bits, r.device(), map[overlay.Family]string{v6: " nodad"}[f])
	}
	fmt.Fprintf(&b, "link set %s up\n", r.device())
	for _, f := range r.inside() {
		b.WriteString(r.way(f))
		if f == v4 && !r.routes() {
			fmt.Fprintf(&b, "address add %s/32 dev %s autojoin\n", ospf, r.device())
		}
	}
	b.WriteString("end\n")
	return b.String()
}

// way is how a routed network's host finds the other's block: by the device alone, or by a neighbour,
// as flannel has it, where there are MACs.
func (r row) way(f overlay.Family) string {
	block := r.block(near, f)
	switch {
	case !r.routes():
		return ""
	case !r.mode.Ethernet():
		return fmt.Sprintf("route add %s dev %s src %s\n", block, r.device(), r.address(far, f))
	}
	return fmt.Sprintf("neigh add %s lladdr %s dev %s nud permanent\n", block.Addr(), overlay.VTEPMACFor(names[near]), r.device()) +
		fmt.Sprintf("route add %s via %s dev %s onlink src %s\n", block, block.Addr(), r.device(), r.address(far, f))
}

// links are what "ip link add DEV" goes on with.
var links = map[overlay.TunnelMode]map[overlay.Family]string{
	overlay.TunnelVXLAN:  {v4: "type vxlan id $vni dstport 4789" + ends, v6: "type vxlan id $vni dstport 4789" + ends + zeroChecksum},
	overlay.TunnelGeneve: {v4: "type geneve id $vni remote $weft", v6: "type geneve id $vni remote $weft" + zeroChecksum},
	overlay.TunnelGRETAP: {v4: "type gretap" + ends, v6: "type ip6gretap" + ends},
	overlay.TunnelGRE:    {v4: "type gre" + ends, v6: "type ip6gre" + ends},
	overlay.TunnelIPIP:   {v4: "type ipip" + ends, v6: "type ip6tnl mode ipip6" + ends},
	overlay.TunnelSIT:    {v4: "type sit" + ends, v6: "type ip6tnl mode ip6ip6" + ends},
}

const (
	ends = " local $local remote $weft"
	// zeroChecksum takes packets without an outer checksum (RFC 6935): no other can be in
	// those that Weft has large segments in.
	zeroChecksum = " udp6zerocsumrx"
	fou          = " encap fou encap-sport auto encap-dport 8285 noencap-csum noencap-udp6-csum"
)

// words are what options add to that.
var words = map[option]string{
	keyed: " ikey $ikey okey $okey", summed: " csum", numbered: " seq", full: " ikey $ikey okey $okey csum seq", udpSummed: " udpcsum",
}

// link is the device of a host, as it is typed.
func (r row) link(host int) string {
	return strings.NewReplacer(
		"$vni", r.vni().String(), "$ikey", fmt.Sprint(r.key(host)), "$okey", fmt.Sprint(r.key(1-host)),
		"$local", local(host, r.over).Addr().String(), "$weft", local(1-host, r.over).Addr().String(),
	).Replace(r.template())
}

// template is the device with names for what differs.
func (r row) template() string {
	mode := r.mode
	switch r.option {
	case inside4:
		mode = overlay.TunnelIPIP
	case inside6:
		mode = overlay.TunnelSIT
	}
	text := links[mode][r.over]
	if r.network() && r.mode.IsGRE() {
		text += " key $vni"
	}
	text += words[r.option]
	if r.over == v6 && !r.mode.HasVNI() && r.option != limited {
		text += " encaplimit none"
	}
	if r.mode == overlay.TunnelUDP {
		text += fou
	}
	return text
}

// wrapping is what a bare packet in UDP needs besides, if it is one.
func (r row) wrapping() string {
	if r.mode != overlay.TunnelUDP {
		return ""
	}
	version := map[overlay.Family]string{v6: "-6 "}[r.over]
	protocol := map[option]string{inside4: "4", inside6: "41"}[r.option]
	return "ip " + version + "fou add port 8285 ipproto " + protocol
}

// dataFile has the data.
func dataFile(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
