package ebpf

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/internal/netns"
	"weft/overlay"
)

// places say by numbers, which are all that programs know, what people call it.
type places struct {
	mu       sync.Mutex
	networks map[uint32]overlay.NetworkName // by VNI
	ports    map[uint32]place               // by interface index
	tunnels  map[uint32]string              // devices, by owner
	// devices are those looked up so far, by interface index; an index is not used again
	// soon.
	devices map[uint32]string
}

type place struct {
	vni  uint32
	port overlay.EndpointName
}

func newPlaces() *places {
	return &places{networks: map[uint32]overlay.NetworkName{}, ports: map[uint32]place{}, tunnels: map[uint32]string{}, devices: map[uint32]string{}}
}

// keep remembers a network's.
func (p *places) keep(n dataplane.Network, on kernel.ProgramLinks) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(uint32(n.VNI))
	p.networks[uint32(n.VNI)] = n.Name
	for name := range n.Ports {
		if dev, ok := on.Ports[name]; ok {
			p.ports[dev.Index] = place{uint32(n.VNI), name}
		}
	}
}

func (p *places) remove(v overlay.VNI) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(uint32(v))
}

// keepTunnel remembers a tunnel's.
func (p *places) keepTunnel(owner uint32, device string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tunnels[owner] = device
}

func (p *places) removeTunnel(owner uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.tunnels, owner)
}

// forget is called with mu held.
func (p *places) forget(vni uint32) {
	delete(p.networks, vni)
	for index, at := range p.ports {
		if at.vni == vni {
			delete(p.ports, index)
		}
	}
	clear(p.devices)
}

// name completes a packet of an owner with names, of which that of the device is asked for if
// need be. A tunnel's packets have its device, whichever way they went.
func (p *places) name(d *dataplane.DroppedPacket, owner, index uint32, device func(uint32) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if tunnel, ok := p.tunnels[owner]; ok {
		d.Device = tunnel
		return
	}
	if !isEnd(owner) {
		d.VNI = overlay.VNI(owner)
	}
	d.Network, d.Port = p.networks[uint32(d.VNI)], p.ports[index].port
	if d.Network == "" {
		d.Network = p.networks[p.ports[index].vni]
	}
	name, known := p.devices[index]
	if !known {
		name = device(index)
		p.devices[index] = name
	}
	d.Device = name
}

// deviceName is what a device of the host is called: by its number if it has gone.
func (p *Programs) deviceName(index uint32) string {
	name := fmt.Sprintf("device %d", index)
	if err := netns.Do(p.host, func() error {
		link, err := net.InterfaceByIndex(int(index))
		if err == nil {
			name = link.Name
		}
		return err
	}); err != nil {
		p.log.Debug("name a device", "index", index, "err", err)
	}
	return name
}

// watchDrops tells of the dropped packets that the programs show, until ctx ends.
func (p *Programs) watchDrops(ctx context.Context, dropped func(dataplane.DroppedPacket)) error {
	return follow(ctx, p.objects.DroppedPackets, func(d programsDropped) {
		why, known := reasonOf(d.Reason)
		now, err := sinceBoot()
		if !known || err != nil {
			return // of another version's programs; or not on Linux
		}
		packet := dataplane.DroppedPacket{
			Time: time.Now().Add(time.Duration(d.At) - now).UTC(), Reason: why,
			Length: int(d.Len), Frame: frameOf(d), Hidden: int(d.Hidden),
		}
		if d.Tagged != 0 {
			packet.Length += vlanTagLen
		}
		p.places.name(&packet, d.Vni, d.Device, p.deviceName)
		dropped(packet)
	})
}

// A VLAN tag, and where it stands in a frame (IEEE 802.1Q clause 9.3).
const (
	vlanTagLen = 4
	vlanTagAt  = 12
)

// frameOf is how a frame began, with the tag that the kernel has taken out of it.
func frameOf(d programsDropped) []byte {
	frame := slices.Clone(d.Start[:min(int(d.Shown), len(d.Start))])
	if d.Tagged == 0 || len(frame) < vlanTagAt {
		return frame
	}
	tag := binary.NativeEndian.AppendUint16(nil, d.Tpid)
	return slices.Insert(frame, vlanTagAt, binary.BigEndian.AppendUint16(tag, d.Tci)...)
}
