package kernel

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/overlay"
)

// links adds the links of the domain, and those of the network that are elsewhere.
func (v *viewer) links(s *space, t linkTable) error {
	for _, l := range t.links {
		if l.link.Kind == KindLoopback {
			continue
		}
		link := asView(t.ns, l)
		if v.isTunnel(l) {
			tunnel, err := v.tunnel(s, l)
			if err != nil {
				return err
			}
			tunnel.Device = v.have.Links[LinkID{t.ns, l.name}].Outer.Device
			link.Tunnel = &tunnel
		}
		if c, ok := v.have.Carried[LinkID{t.ns, l.name}]; ok && l.link.Kind == KindTun {
			tunnel := carriedTunnel(c)
			link.Tunnel = &tunnel
		}
		v.Links = append(v.Links, link)
	}
	for id, have := range v.have.Links {
		if id.NS == t.ns {
			continue
		}
		v.Links = append(v.Links, dataplane.Link{
			Device: id.Name, Type: string(have.Kind), Namespace: id.NS.label(), Up: have.Up, MTU: have.MTU,
			MAC: have.MAC, Port: endpointOf(have.Alias),
		})
	}
	return nil
}

func asView(ns NS, l hostLink) dataplane.Link {
	return dataplane.Link{
		Device: l.name, Type: string(l.link.Kind), Namespace: ns.label(), Up: l.link.Up, MTU: l.link.MTU,
		MAC: l.hwaddr, Port: endpointOf(l.link.Alias),
	}
}

// isTunnel reports whether a link of the domain leads to other nodes.
func (v *viewer) isTunnel(l hostLink) bool {
	return l.link.Kind == KindVXLAN || l.link.Kind.isTunnel() && l.link.Alias == aliasOf(v.net.net.Name, "")
}

// tunnel is what a tunnel link adds: its settings, its peers, and whether there is a socket.
func (v *viewer) tunnel(s *space, l hostLink) (dataplane.TunnelView, error) {
	x := l.link.Outer
	t := dataplane.TunnelView{
		VNI: x.VNI, Local: x.Local, Port: x.Port, SourcePorts: [2]uint16{x.SourcePorts.Low, x.SourcePorts.High}, TTL: int(x.TTL),
		Learning: x.Learning, Ageing: time.Duration(x.Ageing) * time.Second,
		Checksum: x.Port != 0 && !x.NoChecksum && !x.ZeroChecksum6Tx,
	}
	switch {
	case x.Remote.IsMulticast():
		t.Group = x.Remote
	case x.Remote.IsValid():
		t.Remotes = append(t.Remotes, x.Remote)
	}
	if l.link.Kind != KindVXLAN {
		return t, v.memberTunnel(&t, x)
	}
	if x.SourcePorts == (overlay.PortRange{}) {
		if err := v.onHost(func() (err error) { t.SourcePorts, err = localPorts(); return err }); err != nil {
			return t, err
		}
	}
	if err := s.entries(unix.AF_BRIDGE, func(e fdbEntry) {
		if e.link == l.index && e.master == 0 && e.ip.IsValid() && e.ip != t.Group && !slices.Contains(t.Remotes, e.ip) {
			t.Remotes = append(t.Remotes, e.ip)
		}
	}); err != nil {
		return t, err
	}
	slices.SortFunc(t.Remotes, netip.Addr.Compare)
	err := v.onHost(func() (err error) { t.Listening, err = listening(x.Port, x.Local.Is6()); return err })
	return t, err
}

// memberTunnel adds what of a tunnel link that leads to one node is not as on a vxlan link: GRE
// has the VNI as its key, and geneve takes its source ports as it likes
// (drivers/net/geneve.c, geneve_xmit_skb).
func (v *viewer) memberTunnel(t *dataplane.TunnelView, x Outer) (err error) {
	if x.InFlags&GREKeyed != 0 {
		t.VNI = overlay.VNI(x.InKey)
	}
	if x.Port != 0 {
		t.SourcePorts = [2]uint16{1, 65535}
		err = v.onHost(func() (err error) { t.Listening, err = listening(x.Port, x.Remote.Is6()); return err })
	}
	return err
}

// carriedTunnel is what a TUN link adds that the forwarder carries for.
func carriedTunnel(c Carried) dataplane.TunnelView {
	port := c.Local.Port()
	t := dataplane.TunnelView{
		Local: c.Local.Addr(), Remotes: c.Peers, Port: port, SourcePorts: [2]uint16{port, port},
		TTL: int(c.TTL.Hops), Checksum: !c.NoChecksum,
	}
	if c.Broken == "" {
		t.Listening = c.Local.String()
	}
	return t
}

func (v *viewer) onHost(f func() error) error { return netns.Do(v.hand.path(Host), f) }

// localPorts is the range from which a vxlan link without one of its own takes
// its source ports (include/net/udp.h, udp_flow_src_port).
func localPorts() (r [2]uint16, err error) {
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return r, err
	}
	_, err = fmt.Sscan(string(b), &r[0], &r[1])
	return r, err
}

// listening is the UDP socket of the calling thread's namespace on a port, or
// empty. A tunnel's socket is the kernel's own: it has no process, and is listed
// all the same (proc(5), /proc/net/udp).
func listening(port uint16, v6 bool) (string, error) {
	file, any := "/proc/thread-self/net/udp", "0.0.0.0"
	if v6 {
		file, any = "/proc/thread-self/net/udp6", "::"
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		local, hex, ok := strings.Cut(fields[1], ":")
		n, err := strconv.ParseUint(hex, 16, 16)
		if ok && err == nil && uint16(n) == port && strings.Trim(local, "0") == "" {
			return netip.AddrPortFrom(netip.MustParseAddr(any), port).String(), nil
		}
	}
	return "", lines.Err()
}
