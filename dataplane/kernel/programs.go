package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"weft/dataplane"
	"weft/overlay"
)

// Programs are the eBPF plane's: they forward between links that this package makes.
type Programs interface {
	// Pass begins to compare networks, which reads programs and maps once for all of them.
	Pass() ProgramPass
	// Change is ProgramPass.Forward for what a delta says, where the network is as it was before.
	// The links are the zero value if they do not matter (OfLinks).
	Change(old, next dataplane.Network, d dataplane.NetworkDelta, on ProgramLinks) error
	// Tidy takes away what is for links that are not there any more.
	Tidy(there func(index uint32) bool) error
	// Drops counts a network's packets by reason, those of none with VNI 0; Untold are the
	// reasons for which some are dropped that nobody counts.
	Drops(v overlay.VNI) (map[overlay.DropReason]uint64, error)
	Untold(n dataplane.Network) []overlay.DropReason
	// Traffic reads what is counted of a network.
	Traffic(n dataplane.Network, on ProgramLinks) (ProgramTraffic, error)
	// TunnelTraffic is what came from the peer of a tunnel and was sent there, and what was dropped.
	TunnelTraffic(on TunnelLinks) (overlay.Traffic, map[overlay.DropReason]overlay.Count, error)
	// Run tells of the stations behind segment ports, and of dropped packets, until ctx ends.
	Run(ctx context.Context, heard Heard) error
}

// ProgramPass are programs and maps as they were read, and as it has changed them: it is of no
// use when something else has.
type ProgramPass interface {
	// Differs says in what they differ from what a network needs, a line each.
	Differs(n dataplane.Network, on ProgramLinks) ([]string, error)
	// Forward makes them those that a network needs.
	Forward(n dataplane.Network, on ProgramLinks) error
	// TunnelDiffers and ForwardTunnel are those for a tunnel to a peer that Weft does not manage.
	TunnelDiffers(t dataplane.Tunnel, on TunnelLinks) ([]string, error)
	ForwardTunnel(t dataplane.Tunnel, on TunnelLinks) error
	// View is what there is of a network in the maps; device names a device.
	View(n dataplane.Network, on ProgramLinks, device func(index uint32) string) (ProgramView, error)
}

// ProgramView is what the programs' maps hold of a network, as people see it.
type ProgramView struct {
	FDB       []dataplane.FDBEntry
	Neighbors []dataplane.Neighbor
	Routes    []dataplane.HostRoute
	// Remotes are the VTEPs that there is a way to.
	Remotes []netip.Addr
	// SourcePorts and TTL are those of outer headers.
	SourcePorts [2]uint16
	TTL         int
}

// Sighting is what is heard of a station behind a segment port.
type Sighting struct {
	Network overlay.NetworkName
	Port    overlay.EndpointName
	MAC     overlay.MAC
	// Address is one that it says it has, if it is valid.
	Address netip.Addr
	// Learnt: frames for it go there now. Gone: no more.
	Learnt, Gone bool
}

// sighted takes in what programs have heard.
func (p *Plane) sighted(s Sighting) {
	at := segmentPort{s.Network, s.Port}
	switch {
	case s.Gone:
		p.stations.forgot(at, s.MAC)
		return
	case s.Learnt:
		p.stations.learnt(at, s.MAC)
	}
	if s.Address.IsValid() && isStationIP(s.Address) || !s.Learnt {
		p.stations.heard(at, s.MAC, s.Address)
	}
}

// ProgramLinks are the interface indexes, in the host's namespace, of what a network's
// programs forward between.
type ProgramLinks struct {
	// Gateway leads to the network's domain. Tunnel is the kernel's tunnel device; 0: there
	// is none.
	Gateway, Tunnel uint32
	// Underlay are the devices by which tunnel packets may come in, and Out is that of
	// them which has the VTEP's address.
	Underlay []uint32
	Out      uint32
	Ports    map[overlay.EndpointName]ProgramLink
	// Ends are those of the tunnels that a routed network's domain has, which are no ports of
	// the programs'.
	Ends map[overlay.EndpointName]uint32
}

// ProgramLink is a port's.
type ProgramLink struct {
	Index uint32
	// Peer: its other end is in another network namespace.
	Peer bool
}

// OfLinks reports whether what a change says follows from the network's links, too: that of
// its ports and what stands once for the network do, remote stations, neighbours and routes do not.
func OfLinks(d dataplane.NetworkDelta) bool {
	return d.Settings != nil || !d.Ports.Empty() || !d.Members.Empty()
}

// errNoPrograms says that a network is to be forwarded by programs which there are none of.
var errNoPrograms = errors.New("the eBPF plane does not run here")

// programLinks finds a network's links, and those of ports that are gone from it. Those that are not there are left out; ok is false
// if the gateway's is among them.
func (h *hand) programLinks(n dataplane.Network, gone map[overlay.EndpointName]dataplane.Port) (on ProgramLinks, ok bool, err error) {
	on.Ports, on.Ends = map[overlay.EndpointName]ProgramLink{}, map[overlay.EndpointName]uint32{}
	s, err := h.in(Host)
	if err != nil {
		return on, false, err
	}
	find := func(name string) uint32 {
		i, e := s.link(name)
		if e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
		return uint32(i)
	}
	if on.Gateway = find(gatewayLink(n.VNI).Name); on.Gateway == 0 {
		return on, false, err
	}
	if hasTunnelDevice(n) {
		on.Tunnel = find(hostTunnel(n.VNI).Name)
	}
	for name, p := range union(gone, n.Ports) {
		if p.Tunnel != nil && n.Kind == overlay.Routed {
			on.Ends[name] = find(tunnelEnd(p.Device).Name)
			continue
		}
		if i := find(programDevice(p)); i != 0 {
			on.Ports[name] = ProgramLink{Index: i, Peer: p.Attach.Type == overlay.AttachNetns}
		}
	}
	return on, true, errors.Join(err, h.underlays(n.Local, &on))
}

// union is what either has, and next where both have it.
func union[K comparable, V any](was, next map[K]V) map[K]V {
	all := map[K]V{}
	maps.Copy(all, was)
	maps.Copy(all, next)
	return all
}

// underlays finds the host's links with addresses that are not Weft's, by which packets
// may come in.
func (h *hand) underlays(local netip.Addr, on *ProgramLinks) error {
	s, err := h.in(Host)
	if err != nil {
		return err
	}
	t, err := readLinks(s)
	if err != nil {
		return err
	}
	has := map[int]bool{}
	if err := s.addresses(func(a hostAddress) {
		has[a.link] = true
		if a.prefix.Addr() == local {
			on.Out = uint32(a.link)
		}
	}); err != nil {
		return err
	}
	for _, i := range slices.Sorted(maps.Keys(has)) {
		if l := t.links[i]; l.name != loopbackName && !strings.HasPrefix(l.link.Alias, aliasPrefix) {
			on.Underlay = append(on.Underlay, uint32(i))
		}
	}
	return nil
}

// forward has programs forward for a network.
type forward struct {
	Network overlay.NetworkName
	// Why: in what they differ from what it needs.
	Why string
}

func (o forward) String() string {
	return fmt.Sprintf("bpf programs and maps of network %s: %s", o.Network, o.Why)
}

func (o forward) do(h *hand) error {
	if h.forward == nil {
		return errNoPrograms
	}
	return h.forward()
}

// programs are those of this pass.
func (h *hand) programs(p Programs) ProgramPass {
	if h.pass == nil {
		h.pass = p.Pass()
	}
	return h.pass
}

// forwards makes the next forward op of the hand one of a whole network.
func (p *Plane) forwards(h *hand, n dataplane.Network) {
	h.forward, h.forwardTunnel = nil, p.forwardTunnel(p.attachedTunnels(n))
	if p.Programs == nil || n.Plane != overlay.PlaneEBPF {
		return
	}
	h.forward = func() error {
		on, ok, err := h.programLinks(n, nil)
		if err != nil {
			return err
		}
		if !ok {
			return noGateway(n)
		}
		return h.programs(p.Programs).Forward(n, on)
	}
}

// forwardsChange is forwards for what a delta says. Most are about remote stations or routes
// alone: to find links would take several times as long as those.
func (p *Plane) forwardsChange(h *hand, n, was dataplane.Network, d dataplane.NetworkDelta) {
	h.forward, h.forwardTunnel = nil, p.forwardTunnel(p.attachedTunnels(n))
	if p.Programs == nil || n.Plane != overlay.PlaneEBPF {
		return
	}
	h.forward = func() error {
		h.pass = nil
		if !OfLinks(d) {
			return p.Programs.Change(was, n, d, ProgramLinks{})
		}
		on, ok, err := h.programLinks(n, was.Ports)
		if err != nil {
			return err
		}
		if !ok {
			return noGateway(n)
		}
		return p.Programs.Change(was, n, d, on)
	}
}

func noGateway(n dataplane.Network) error {
	return fmt.Errorf("there is no link %s", gatewayLink(n.VNI).Name)
}

// observe reads the objects of a network that is wanted so.
func (p *Plane) observe(h *hand, n dataplane.Network, want Objects) (Objects, error) {
	o, err := h.observe(n.Name, DomainNS(p.NetnsDir, n.Name), want)
	if err == nil {
		err = p.observePrograms(h, n, o)
	}
	return o, err
}

// observePrograms adds what there is of a network's programs.
func (p *Plane) observePrograms(h *hand, n dataplane.Network, o Objects) error {
	if n.Plane != overlay.PlaneEBPF {
		return nil
	}
	if p.Programs == nil {
		o.Programs[n.Name] = errNoPrograms.Error()
		return nil
	}
	on, ok, err := h.programLinks(n, nil)
	if err != nil || !ok {
		return err
	}
	differs, err := h.programs(p.Programs).Differs(n, on)
	if err == nil {
		o.Programs[n.Name] = summary(differs)
	}
	return errors.Join(err, p.observeForwarded(h, p.attachedTunnels(n), o))
}

// summary is empty if there is nothing to say.
func summary(lines []string) string {
	switch len(lines) {
	case 0:
		return ""
	case 1:
		return lines[0]
	}
	return fmt.Sprintf("%s; and %d more", lines[0], len(lines)-1)
}

// tidyPrograms takes away what programs have of networks that are gone.
func (p *Plane) tidyPrograms(h *hand) error { return p.tidyBut(h, 0) }

// tidyBut is tidyPrograms as if a link was gone already.
func (p *Plane) tidyBut(h *hand, gone uint32) error {
	if p.Programs == nil {
		return nil
	}
	s, err := h.in(Host)
	if err != nil {
		return err
	}
	t, err := readLinks(s)
	if err != nil {
		return err
	}
	h.pass = nil
	return p.Programs.Tidy(func(index uint32) bool { _, ok := t.links[int(index)]; return ok && index != gone })
}
