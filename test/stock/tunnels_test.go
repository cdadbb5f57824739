package stock

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/encap"
	"weft/internal/testenv"
	"weft/overlay"
)

// tunnel is one between Weft's host and a device of the peer's.
type tunnel struct {
	mode     overlay.TunnelMode
	underlay overlay.Family
	// options are those of Weft's side; link is the end of "ip link add $dev".
	options func(*overlay.TunnelSpec)
	link    string
	// limited: see device.
	limited bool
	number  int // from 1
}

func (l tunnel) String() string {
	words := strings.NewReplacer("type ", "", " local $local", "", " remote $weft", "").Replace(l.link)
	return fmt.Sprintf("%s over %s with %s", l.mode, l.underlay, words)
}

func withKeys(in, out overlay.GREKey) func(*overlay.TunnelSpec) {
	return func(s *overlay.TunnelSpec) { s.InKey, s.OutKey = &in, &out }
}

func withVNI(v overlay.VNI) func(*overlay.TunnelSpec) {
	return func(s *overlay.TunnelSpec) { s.VNI = v }
}

// checked and numbered tunnels are made packet by packet.
func checkedAndNumbered(s *overlay.TunnelSpec) {
	s.InChecksum, s.OutChecksum, s.InSequence, s.OutSequence = true, true, true, true
	withKeys(0x22, 0x11)(s)
}

// theirKeys are those of the peer, which has them the other way round.
const theirKeys = " ikey 0x111111 okey 0x222222"

// tunnels are what people type at the other side.
var tunnels = []tunnel{
	{mode: overlay.TunnelGRE, underlay: v4, link: "type gre" + ends},
	{mode: overlay.TunnelGRE, underlay: v4, link: "type gre" + ends + theirKeys, options: withKeys(0x222222, 0x111111)},
	{mode: overlay.TunnelGRE, underlay: v6, link: "type ip6gre" + ends + theirKeys, options: withKeys(0x222222, 0x111111), limited: true},
	{mode: overlay.TunnelGRE, underlay: v6, link: "type ip6gre" + ends + " encaplimit none"},
	{mode: overlay.TunnelIPIP, underlay: v4, link: "type ipip" + ends},
	{mode: overlay.TunnelIPIP, underlay: v6, link: "type ip6tnl mode ipip6" + ends + " encaplimit none"},
	{mode: overlay.TunnelSIT, underlay: v4, link: "type sit" + ends},
	{mode: overlay.TunnelSIT, underlay: v6, link: "type ip6tnl mode ip6ip6" + ends, limited: true},
	{mode: overlay.TunnelGRETAP, underlay: v4, link: "type gretap" + ends + theirKeys, options: withKeys(0x222222, 0x111111)},
	{mode: overlay.TunnelGRETAP, underlay: v6, link: "type ip6gretap" + ends + " encaplimit none"},
	{mode: overlay.TunnelVXLAN, underlay: v4, link: "type vxlan id 0xabcdef dstport 4789" + ends, options: withVNI(0xabcdef)},
	{mode: overlay.TunnelVXLAN, underlay: v6, link: "type vxlan id 77 dstport 4789" + ends + zeroChecksum, options: withVNI(77)},
	{mode: overlay.TunnelGeneve, underlay: v4, link: "type geneve id 0xabcdef remote $weft", options: withVNI(0xabcdef)},
	{mode: overlay.TunnelGeneve, underlay: v6, link: "type geneve id 77 remote $weft" + zeroChecksum, options: withVNI(77)},
	{mode: overlay.TunnelGRE, underlay: v4, link: "type gre" + ends + " ikey 0x11 okey 0x22 icsum ocsum iseq oseq", options: checkedAndNumbered},
	{mode: overlay.TunnelGRE, underlay: v6, link: "type ip6gre" + ends + " ikey 0x11 okey 0x22 icsum ocsum iseq oseq encaplimit none", options: checkedAndNumbered},
}

func (l tunnel) dev() string { return fmt.Sprintf("tun%d", l.number) }

// address is that of a host's end inside.
func (l tunnel) address(host int, f overlay.Family) netip.Prefix {
	if f == v4 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 99, byte(l.number), byte(host + 1)}), 24)
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0x99, 3: byte(l.number), 15: byte(host + 1)}), 64)
}

func (l tunnel) inside() (all []overlay.Family) {
	for _, f := range []overlay.Family{v4, v6} {
		if l.mode.Carries(f) {
			all = append(all, f)
		}
	}
	return all
}

// tunnel is Weft's side.
func (l tunnel) tunnel(t testing.TB) dataplane.Tunnel {
	t.Helper()
	s := overlay.TunnelSpec{Node: names[0], Mode: l.mode, Remote: local(1, l.underlay).Addr().String(), Plane: overlay.PlaneEBPF}
	if l.options != nil {
		l.options(&s)
	}
	for _, f := range l.inside() {
		s.Addresses = append(s.Addresses, l.address(0, f))
	}
	r := overlay.Tunnel{Meta: overlay.Meta{Name: l.dev()}, Spec: s}
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	s = s.Complete(overlay.TunnelName(l.dev()))
	overhead, err := encap.TunnelOverhead(s, l.underlay)
	if err != nil {
		t.Fatal(err)
	}
	return dataplane.Tunnel{
		Name: overlay.TunnelName(l.dev()), Spec: s, Local: local(0, l.underlay).Addr(), Remote: local(1, l.underlay).Addr(),
		MTU: underlayMTU - overhead,
	}
}

// script has the peer make its side.
func (l tunnel) script() string {
	text := fmt.Sprintf("ip link add %s %s\n", l.dev(), strings.NewReplacer(
		"$local", local(1, l.underlay).Addr().String(), "$weft", local(0, l.underlay).Addr().String()).Replace(l.link))
	for _, f := range l.inside() {
		text += fmt.Sprintf("ip address add %s dev %s", l.address(1, f), l.dev())
		if f == v6 {
			text += " nodad"
		}
		text += "\n"
	}
	return text + "ip link set " + l.dev() + " up\n"
}

// TestTunnels: the kernel's own devices are the other ends of tunnels that programs forward
// for, which stand alone on Weft's host. Pings, the largest packets and TCP pass both ways.
func TestTunnels(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	host := newHost(t)
	p := newMachinePeer(t, host)
	connect(t, host, p)
	want := dataplane.State{Node: names[0], Tunnels: map[overlay.TunnelName]dataplane.Tunnel{}}
	for i := range tunnels {
		l := tunnels[i].numbered(i + 1)
		want.Tunnels[overlay.TunnelName(l.dev())] = l.tunnel(t)
	}
	forward(t, host, want)
	for i := range tunnels {
		l := tunnels[i].numbered(i + 1)
		t.Run(l.String(), func(t *testing.T) {
			p.Run(l.script())
			defer p.Run("ip link delete " + l.dev()) // IPv6 tunnels between two addresses exclude each other
			for _, f := range l.inside() {
				l.ping(t, host, p, f)
				l.transfer(t, host, f)
			}
			if l.mode == overlay.TunnelGRE {
				l.multicast(t, host, p)
			}
		})
	}
}

func (l tunnel) numbered(n int) tunnel {
	l.number = n
	return l
}

// ping fails the test unless either end gets an answer from the other, to a small packet and
// to the largest one, which nobody may take to pieces, and is told of one that is larger.
func (l tunnel) ping(t *testing.T, host string, p peer, f overlay.Family) {
	t.Helper()
	mtu := l.tunnel(t).MTU
	there := mtu
	if l.limited {
		there -= limitLen
	}
	for _, size := range []int{100, mtu} {
		testenv.Run(t, host, "sh", "-c", pingCommand(size-headersOf[f])+l.address(1, f).Addr().String())
	}
	for _, size := range []int{100, there} {
		p.Run(pingCommand(size-headersOf[f]) + l.address(0, f).Addr().String())
	}
	larger := fmt.Sprintf("! ping -n -c1 -W1 -Mdo -s%d %s 2>&1", mtu+1-headersOf[f], l.address(1, f).Addr())
	out := testenv.Output(t, host, "sh", "-c", larger)
	if want := fmt.Sprintf("mtu=%d", mtu); !strings.Contains(strings.ReplaceAll(out, "mtu: ", "mtu="), want) {
		t.Errorf("a packet of %d bytes: want %q, got %s", mtu+1, want, out)
	}
}

// multicast fails the test unless the peer gets what OSPF sends to all its routers (RFC 2328
// appendix A.1).
func (l tunnel) multicast(t *testing.T, host string, p peer) {
	t.Helper()
	p.Run("sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0; ip address add 224.0.0.5/32 dev " + l.dev() + " autojoin")
	testenv.Run(t, host, "sh", "-c", pingCommand(100)+"-I "+l.dev()+" 224.0.0.5")
}

// transfer is that of networks, from the host itself.
func (l tunnel) transfer(t *testing.T, host string, f overlay.Family) {
	t.Helper()
	slow := l.tunnel(t).Spec.OutSequence
	talker{host, l.dev(), l.address(1, f).Addr(), !slow}.transfer(t)
}
