package kernel

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"

	"weft/dataplane"
	"weft/overlay"
)

// TunnelLinks are what a tunnel's programs forward between, by interface index on the host.
type TunnelLinks struct {
	// Device is the end that bears the tunnel's name, and MAC its address. End is the other.
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

// tunnelLinks finds a tunnel's links; ok is false if one of them is not there.
func (h *hand) tunnelLinks(t dataplane.Tunnel) (on TunnelLinks, ok bool, err error) {
	s, err := h.in(Host)
	if err != nil {
		return on, false, err
	}
	table, err := readLinks(s)
	if err != nil {
		return on, false, err
	}
	device := table.named(t.Spec.Device)
	find := func(id LinkID) uint32 { return uint32(table.named(id.Name).index) }
	on.Device, on.MAC, on.End = uint32(device.index), device.hwaddr, find(tunnelEnd(t.Spec.Device))
	if on.Device == 0 || on.End == 0 {
		return on, false, nil
	}
	if hasIdle(t) {
		if on.Idle = find(tunnelIdle(t.Spec.Device)); on.Idle == 0 {
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

// programTunnelOf is the wanted tunnel that programs forward for behind an interface.
func (p *Plane) programTunnelOf(id LinkID) (dataplane.Tunnel, bool) {
	for _, t := range p.want.Tunnels {
		if t.Spec.Plane == overlay.PlaneEBPF && id == (LinkID{Host, t.Spec.Device}) {
			return t, true
		}
	}
	return dataplane.Tunnel{}, false
}

func (p *Plane) forwardTunnel(h *hand, id LinkID) error {
	t, ok := p.programTunnelOf(id)
	if p.Programs == nil || !ok {
		return errNoPrograms
	}
	on, ok, err := h.tunnelLinks(t)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("a link of it is not there")
	}
	return h.programs(p.Programs).ForwardTunnel(t, on)
}

// observeForwarded adds what there is of tunnels' programs.
func (p *Plane) observeForwarded(h *hand, o *tunnelObserver) error {
	var errs []error
	for id := range o.want.Forwarded {
		t, ok := p.programTunnelOf(id)
		if !ok || !has(o.Links, id) {
			continue
		}
		if p.Programs == nil {
			o.Forwarded[id] = errNoPrograms.Error()
			continue
		}
		on, ok, err := h.tunnelLinks(t)
		if errs = append(errs, err); err != nil || !ok {
			continue
		}
		differs, err := h.programs(p.Programs).TunnelDiffers(t, on)
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
	on, ok, err := h.tunnelLinks(t)
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
