package kernel

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// vlanDevice is an underlay that is a VLAN's (IEEE 802.1Q).
const vlanDevice = "eth0.5"

// onVLAN gives the hosts of a bed a VLAN, and nothing else, in common.
func (b *bed) onVLAN(t *testing.T) {
	t.Helper()
	for i, h := range b.hosts {
		batch := fmt.Sprintf("link add link eth0 name %s type vlan id 5\naddress flush dev eth0\naddress add %s/24 dev %[1]s\nlink set %[1]s up\n", vlanDevice, onVLAN(i))
		if _, err := feed(h.ns, batch, "ip", "-batch", "-"); err != nil {
			t.Fatal(err)
		}
	}
}

func onVLAN(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 3, byte(i + 1)}) }

// vlanUnderlay has host i's network there.
func (n testNet) vlanUnderlay(i int, edits ...func(*dataplane.Network)) dataplane.Network {
	net := n.edited(i, append(edits, func(net *dataplane.Network) {
		net.Local, net.UnderlayDevice = onVLAN(i), vlanDevice
		for name, m := range net.Members {
			m.VTEP = onVLAN(1 - i)
			net.Members[name] = m
		}
	})...).Networks[n.spec.Name]
	return net
}

// vlanUnderlay: over a VLAN there are, at once, a network with a group, a network on another port, and
// a tunnel to a stranger.
func vlanUnderlay(t *testing.T) {
	blue := newTestNet(t, 2, overlay.Bridged, overlay.V4)
	blue.bed.onVLAN(t)
	green := testNet{bed: blue.bed, spec: blue.spec}
	green.spec.Name, green.spec.VNI, green.spec.Port = "green", 4098, 8472
	green.spec.GatewayMAC = green.spec.VNI.GatewayMAC()
	for range blue.workloads {
		green.workloads = append(green.workloads, testenv.Namespace(t))
	}
	for i, h := range blue.bed.hosts {
		s := tunnelState()
		s.Networks = map[overlay.NetworkName]dataplane.Network{"blue": blue.vlanUnderlay(i, grouped), "green": green.vlanUnderlay(i)}
		if i == 0 {
			tunnel := tunnelPair{t, h, blue.bed.hosts[1]}.tunnel(overlay.V4, overlay.TunnelSpec{
				Mode: overlay.TunnelGRETAP, Underlay: vlanDevice, Addresses: []netip.Prefix{netip.MustParsePrefix("10.20.1.2/24")},
			})
			tunnel.Local, tunnel.Remote = onVLAN(0), onVLAN(1)
			s.Tunnels[tunnel.Name] = tunnel
		}
		h.apply(s)
		h.settled()
	}
	b := blue.bed.hosts[1]
	batch := "link add p0 mtu 1400 type gretap local 192.0.3.2 remote 192.0.3.1 dev " + vlanDevice + "\naddress add 10.20.1.3/24 dev p0\nlink set p0 up\n"
	if _, err := feed(b.ns, batch, "ip", "-batch", "-"); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		blue.workloads[0]: blue.endpoint(1).Addresses[0].String(), green.workloads[0]: green.endpoint(1).Addresses[0].String(), blue.bed.hosts[0].ns: "10.20.1.3",
	} {
		testenv.Eventually(t, 20*time.Second, func() error {
			_, err := netns.Output(t.Context(), from, "ping", "-n", "-c1", "-W1", to)
			return err
		}, "an answer of "+to)
	}
	if joined := testenv.Output(t, b.ns, "ip", "maddress", "show", "dev", vlanDevice); !strings.Contains(joined, groupOf(overlay.V4).String()) {
		t.Errorf("the group is not joined:\n%s", joined)
	}
	blue.bed.hosts[0].tunnelsSettled()
}
