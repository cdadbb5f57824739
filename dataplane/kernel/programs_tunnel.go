package kernel

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"

	"weft/dataplane"
	"weft/overlay"
)

// TunnelLinks are what a tunnel's programs forward between, by interface index on the host.
type TunnelLinks struct {
	// Network is the one that the tunnel is a part of; 0: it stands alone.
	Network overlay.VNI
	// Device is the end that bears the tunnel's name, 0 if it is in its network's domain, and MAC
	// its address. End is the other.
	Device, End uint32
	MAC         overlay.MAC
	// Idle is the vxlan device that unwraps what programs cannot; 0: there is none.
	Idle uint32
	// Underlay are the devices by which tunnel packets may come in. Out is the one that they
	// leave by, if somebody has said which.
	Underlay []uint32
	Out      uint32
}

// tunnelEnd is the end that a program runs on.
func tunnelEnd(device string) LinkID { return LinkID{Host, "wt" + shortened(device)} }

// tunnelIdle is the device that unwraps what programs cannot.
func tunnelIdle(device string) LinkID { return LinkID{Host, "wi" + shortened(device)} }

// shortened is as good as the name, for use in names.
func shortened(name string) string {
	sum := fnv.New64a()
	sum.Write([]byte(name)) // never fails (hash.Hash)
	return hex.EncodeToString(sum.Sum(nil)[:6])
}

// programTunnel is a tunnel that programs forward for.
type programTunnel struct {
	dataplane.Tunnel
	network overlay.VNI // 0: it stands alone
}

// programTunnels are such tunnels by their near ends.
type programTunnels map[LinkID]programTunnel

// standAlone are those that are wanted of the host.
func (p *Plane) standAlone() programTunnels {
	all := programTunnels{}
	for _, t := range p.want.Tunnels {
		if t.Spec.Plane == overlay.PlaneEBPF {
			all[LinkID{Host, t.Spec.Device}] = programTunnel{Tunnel: t}
		}
	}
	return all
}

// attachedTunnels are those of a network.
func (p *Plane) attachedTunnels(n dataplane.Network) programTunnels {
	all := programTunnels{}
	for _, port := range n.Ports {
		if port.Tunnel != nil && port.Tunnel.Spec.Plane == overlay.PlaneEBPF {
			all[nearEnd(n, DomainNS(p.NetnsDir, n.Name), port)] = programTunnel{*port.Tunnel, n.VNI}
		}
	}
	return all
}

// tunnelLinks finds a tunnel's links; ok is false if one of them is not there.
func (h *hand) tunnelLinks(id LinkID, t programTunnel) (on TunnelLinks, ok bool, err error) {
	near, err := h.table(id.NS)
	if err != nil {
		return on, false, err
	}
	table, err := h.table(Host)
	if err != nil {
		return on, false, err
	}
	device := near.named(id.Name)
	find := func(id LinkID) uint32 { return uint32(table.named(id.Name).index) }
	on.Network, on.MAC, on.End = t.network, device.hwaddr, find(tunnelEnd(id.Name))
	if device.index == 0 || on.End == 0 {
		return on, false, nil
	}
	if id.NS == Host {
		on.Device = uint32(device.index)
	}
	if hasIdle(t.Tunnel) {
		if on.Idle = find(tunnelIdle(id.Name)); on.Idle == 0 {
			return on, false, nil
		}
	}
	if under := t.Spec.Underlay; under != "" {
		if on.Out = find(LinkID{Host, under}); on.Out == 0 {
			return on, false, fmt.Errorf("there is no device %s", under)
		}
	}
	var hosts ProgramLinks
	err = h.underlays(t.Local, &hosts)
	on.Underlay = hosts.Underlay
	return on, true, err
}

// table reads a namespace's links, of which there are none if it is not there.
func (h *hand) table(ns NS) (linkTable, error) {
	s, err := h.in(ns)
	if errors.Is(err, fs.ErrNotExist) {
		return linkTable{}, nil
	}
	if err != nil {
		return linkTable{}, err
	}
	return readLinks(s)
}

// forwardTunnel has programs forward for a tunnel.
type forwardTunnel struct {
	ID LinkID
	// Why: in what they differ from what it needs.
	Why string
}

func (o forwardTunnel) String() string {
	return fmt.Sprintf("bpf programs and maps of tunnel %s: %s", o.ID.Name, o.Why)
}

func (o forwardTunnel) do(h *hand) error {
	if h.forwardTunnel == nil {
		return errNoPrograms
	}
	return h.forwardTunnel(h, o.ID)
}

// forwardTunnel is what has programs forward for one of the tunnels.
func (p *Plane) forwardTunnel(all programTunnels) func(*hand, LinkID) error {
	return func(h *hand, id LinkID) error {
		t, ok := all[id]
		if p.Programs == nil || !ok {
			return errNoPrograms
		}
		on, ok, err := h.tunnelLinks(id, t)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("a link of it is not there")
		}
		return h.programs(p.Programs).ForwardTunnel(t.Tunnel, on)
	}
}

// observeForwarded adds what there is of tunnels' programs.
func (p *Plane) observeForwarded(h *hand, all programTunnels, o Objects) error {
	var errs []error
	for id, t := range all {
		if !has(o.Links, id) {
			continue
		}
		if p.Programs == nil {
			o.Forwarded[id] = errNoPrograms.Error()
			continue
		}
		on, ok, err := h.tunnelLinks(id, t)
		if errs = append(errs, err); err != nil || !ok {
			continue
		}
		differs, err := h.programs(p.Programs).TunnelDiffers(t.Tunnel, on)
		if errs = append(errs, err); err == nil {
			o.Forwarded[id] = summary(differs)
		}
	}
	return errors.Join(errs...)
}

// countTunnel adds what programs, or the forwarder, have dropped of a tunnel.
func (p *Plane) countTunnel(h *hand, t dataplane.Tunnel, v *dataplane.NetworkView) error {
	if t.Spec.Plane == overlay.PlaneUser {
		return p.countCarriedTunnel(t, v)
	}
	if p.Programs == nil || t.Spec.Plane != overlay.PlaneEBPF {
		return nil
	}
	on, ok, err := h.tunnelLinks(LinkID{Host, t.Spec.Device}, programTunnel{Tunnel: t})
	if err != nil || !ok {
		return err
	}
	_, v.Dropped, err = p.Programs.TunnelTraffic(on)
	v.Drops = overlay.Drops{}
	for why, c := range v.Dropped {
		v.Drops[why] = c.Packets
	}
	return err
}
