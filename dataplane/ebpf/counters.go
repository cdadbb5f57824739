package ebpf

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cilium/ebpf"

	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/overlay"
)

// Counters says which counter is whose: an index into the programs' map. Who has none counts
// with nobody's, which is 0.
type Counters map[owner]uint16

// owner is a port, the end of a tunnel, or a VTEP as a member of a network.
type owner struct {
	port uint32 // interface index; 0: a VTEP
	vni  uint32
	vtep [4]uint32
}

func portOwner(index uint32) owner { return owner{port: index} }

func vtepOwner(v overlay.VNI, a netip.Addr) owner { return owner{vni: uint32(v), vtep: wordsOf(a)} }

// readCounters finds out which counter is whose. The entries of ports and members say so, and
// nothing else does, so that there is nothing that has to agree with them.
func (p *Programs) readCounters() error {
	p.counters = Counters{}
	return errors.Join(
		scan(p.objects.Ports, func(index uint32, port programsPort) { p.counters.note(portOwner(index), port.Counter) }),
		scan(p.objects.Members, func(k programsAddressKey, counter uint32) {
			p.counters.note(owner{vni: k.Vni, vtep: k.Ip.Word}, uint16(counter))
		}),
		scan(p.objects.Ends, func(index uint32, e programsEnd) { p.counters.note(portOwner(index), uint16(e.Counter)) }),
	)
}

func (c Counters) note(o owner, counter uint16) {
	if counter != 0 {
		c[o] = counter
	}
}

// ownersIn are the ports and VTEPs of a network.
func ownersIn(n dataplane.Network, on kernel.ProgramLinks) []owner {
	owners := []owner{portOwner(on.Gateway)}
	for name := range n.Ports {
		if dev, ok := on.Ports[name]; ok {
			owners = append(owners, portOwner(dev.Index))
		}
	}
	for _, m := range n.Members {
		owners = append(owners, vtepOwner(n.VNI, m.VTEP))
	}
	return owners
}

// claim gives each port and VTEP of a network a counter. When all are taken, the rest go
// without.
func (p *Programs) claim(n dataplane.Network, on kernel.ProgramLinks) error {
	return p.claimFor(ownersIn(n, on))
}

func (p *Programs) claimFor(owners []owner) error {
	without := slices.DeleteFunc(owners, func(o owner) bool { _, has := p.counters[o]; return has })
	for _, counter := range p.counters.free(len(without), p.objects.Counters.MaxEntries()) {
		if err := p.reset(counter); err != nil {
			return err
		}
		p.counters[without[0]], without = uint16(counter), without[1:]
	}
	return nil
}

// free are so many counters that nobody has, or as many as there are.
func (c Counters) free(count int, end uint32) (found []uint32) {
	if count == 0 {
		return nil
	}
	taken := map[uint32]bool{0: true}
	for _, counter := range c {
		taken[uint32(counter)] = true
	}
	for counter := uint32(1); counter < end && len(found) < count; counter++ {
		if !taken[counter] {
			found = append(found, counter)
		}
	}
	return found
}

// reset sets a counter to zero, on every CPU.
func (p *Programs) reset(counter uint32) error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return err
	}
	if err := p.objects.Counters.Put(counter, make([]programsCounter, cpus)); err != nil {
		return fmt.Errorf("write map %s: %w", p.objects.Counters.String(), err)
	}
	return nil
}

// counted is what one of the counters has counted, on all CPUs.
func (p *Programs) counted(counter uint16) (sum overlay.Traffic, err error) {
	var perCPU []programsCounter
	if err := p.objects.Counters.Lookup(uint32(counter), &perCPU); err != nil {
		return sum, fmt.Errorf("read map %s: %w", p.objects.Counters.String(), err)
	}
	for _, c := range perCPU {
		sum = sum.Plus(trafficOf(c))
	}
	return sum, nil
}

func trafficOf(c programsCounter) overlay.Traffic {
	return overlay.Traffic{From: countOf(c.From), To: countOf(c.To)}
}

func countOf(t programsTally) overlay.Count { return overlay.Count{Packets: t.Packets, Bytes: t.Bytes} }

func counterOf(t overlay.Traffic) programsCounter {
	return programsCounter{
		From: programsTally{Packets: t.From.Packets, Bytes: t.From.Bytes},
		To:   programsTally{Packets: t.To.Packets, Bytes: t.To.Bytes},
	}
}

// totals are what a network's ports and VTEPs have counted together.
type totals struct{ ports, vteps overlay.Traffic }

// retire adds to networks what those of their ports and VTEPs have counted that are about to
// go: before they go, so that a sum never falls, whatever becomes of this process.
func (p *Programs) retire(want, have Tables) error {
	gone := map[uint32]*totals{}
	of := func(vni uint32) *totals {
		if gone[vni] == nil {
			gone[vni] = &totals{}
		}
		return gone[vni]
	}
	var errs []error
	add := func(sum *overlay.Traffic, o owner, counter uint16) {
		delete(p.counters, o)
		if counter == 0 {
			return
		}
		more, err := p.counted(counter)
		errs = append(errs, err)
		*sum = sum.Plus(more)
	}
	for index := range compare(want.ports, have.ports).gone {
		if e := have.ports[index]; e.Flags&(portGateway|portTunnel) == 0 {
			add(&of(e.Vni).ports, portOwner(index), e.Counter)
		} else {
			delete(p.counters, portOwner(index))
		}
	}
	for k := range compare(want.members, have.members).gone {
		add(&of(k.Vni).vteps, owner{vni: k.Vni, vtep: k.Ip.Word}, uint16(have.members[k]))
	}
	for index := range compare(want.ends, have.ends).gone {
		if e := have.ends[index]; isEnd(e.Owner) || e.Device != 0 { // its sums are nobody's, or those of the port before it
			delete(p.counters, portOwner(index))
		} else {
			add(&of(e.Owner).ports, portOwner(index), uint16(e.Counter))
		}
	}
	for vni, more := range gone {
		sum, err := p.retired(vni)
		errs = append(errs, err)
		r := programsTotals{Ports: counterOf(sum.ports.Plus(more.ports)), Vteps: counterOf(sum.vteps.Plus(more.vteps))}
		if err := p.objects.Retired.Put(vni, r); err != nil {
			errs = append(errs, fmt.Errorf("write map %s: %w", p.objects.Retired.String(), err))
		}
	}
	return errors.Join(errs...)
}

// retired is what ports and VTEPs of a network have counted that are gone.
func (p *Programs) retired(vni uint32) (totals, error) {
	var r programsTotals
	err := p.objects.Retired.Lookup(vni, &r)
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return totals{}, fmt.Errorf("read map %s: %w", p.objects.Retired.String(), err)
	}
	return totals{trafficOf(r.Ports), trafficOf(r.Vteps)}, nil
}

// Traffic implements kernel.Programs.
func (p *Programs) Traffic(n dataplane.Network, on kernel.ProgramLinks) (t kernel.ProgramTraffic, err error) {
	sum, err := p.retired(uint32(n.VNI))
	errs := []error{err}
	read := func(o owner) (overlay.Traffic, bool) {
		counter, ok := p.counters[o]
		if !ok {
			return overlay.Traffic{}, false
		}
		counted, err := p.counted(counter)
		errs = append(errs, err)
		return counted, true
	}
	t.Gateway, _ = read(portOwner(on.Gateway))
	t.Ports = map[overlay.EndpointName]overlay.Traffic{}
	for name := range n.Ports {
		index := on.Ports[name].Index
		if end, ok := on.Ends[name]; ok {
			index = end
		}
		if more, ok := read(portOwner(index)); ok {
			t.Ports[name], sum.ports = more, sum.ports.Plus(more)
		}
	}
	t.Nodes = map[overlay.NodeName]overlay.Traffic{}
	for node, m := range n.Members {
		if more, ok := read(vtepOwner(n.VNI, m.VTEP)); ok {
			t.Nodes[node], sum.vteps = more, sum.vteps.Plus(more)
		}
	}
	t.AllPorts, t.AllNodes = sum.ports, sum.vteps
	t.Dropped, err = p.dropped(n.VNI)
	return t, errors.Join(append(errs, err)...)
}

// Drops implements kernel.Programs.
func (p *Programs) Drops(v overlay.VNI) (map[overlay.DropReason]uint64, error) {
	counts, err := p.dropped(v)
	drops := map[overlay.DropReason]uint64{}
	for why, c := range counts {
		drops[why] = c.Packets
	}
	return drops, err
}

// dropped counts a network's drops.
func (p *Programs) dropped(v overlay.VNI) (map[overlay.DropReason]overlay.Count, error) {
	return p.droppedOf(uint32(v))
}

// droppedOf counts the drops of a network, or of a tunnel's end.
func (p *Programs) droppedOf(owner uint32) (map[overlay.DropReason]overlay.Count, error) {
	drops := map[overlay.DropReason]overlay.Count{}
	err := scan(p.objects.Drops, func(k programsDropKey, perCPU []programsTally) {
		why, known := reasonOf(k.Reason)
		if k.Vni != owner || !known {
			return
		}
		for _, t := range perCPU {
			drops[why] = drops[why].Plus(countOf(t))
		}
	})
	return drops, err
}

// reasonOf is a reason by its number in bpf/maps.h.
func reasonOf(number uint32) (overlay.DropReason, bool) {
	reasons := overlay.DropReasons()
	if number == 0 || int(number) > len(reasons) {
		return "", false
	}
	return reasons[number-1], true
}
