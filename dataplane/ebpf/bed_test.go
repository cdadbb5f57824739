package ebpf

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cilium/ebpf"

	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/dataplane/dataplanetest/linux"
	"weft/dataplane/kernel"
	"weft/internal/testenv"
	"weft/overlay"
)

// bed is a host with the plane on it, whose ports' far ends and underlay the test holds.
type bed struct {
	*linux.Harness
	on       linux.Host
	options  Options
	programs *Programs
}

// newBed has its programs attached to the best hook that there is.
func newBed(t testing.TB, attach overlay.AttachType) *bed { return newBedBy(t, attach, "") }

// newBedBy has its programs attached to this hook.
func newBedBy(t testing.TB, attach overlay.AttachType, by hook) *bed {
	b := &bed{options: bedOptions(t, by)}
	b.Harness = linux.New(t, linux.Subject{
		New: b.plane, Name: overlay.PlaneEBPF, Attach: attach, OnHost: true,
	})
	return b
}

func bedOptions(t testing.TB, by hook) Options {
	return Options{Dir: filepath.Join(t.TempDir(), testenv.Name(t, "bpf")), hook: by}
}

// plane makes the plane on a host.
func (b *bed) plane(t testing.TB, on linux.Host) dataplane.Plane {
	b.options.Host = on.Namespace
	b.on, b.programs = on, openTested(t, b.options)
	t.Cleanup(func() {
		if err := Remove(b.options.Dir, on.Namespace); err != nil {
			t.Error(err)
		}
	})
	return b.another(t, b.programs)
}

// another is another plane on the host, as another process has one.
func (b *bed) another(t testing.TB, p *Programs) dataplane.Plane {
	t.Helper()
	plane, err := kernel.New(kernel.Options{NetnsDir: b.on.NetnsDir, StateDir: b.on.StateDir, Host: b.on.Namespace, Programs: p})
	if err != nil {
		t.Fatal(err)
	}
	return plane
}

// room is how many entries the maps have in tests: to read a map costs what it has room for.
const room = 256

// small has the maps be small.
func small(spec *ebpf.CollectionSpec) *ebpf.CollectionSpec {
	for _, m := range spec.Maps {
		if m.Type != ebpf.RingBuf {
			m.MaxEntries = min(m.MaxEntries, room)
		}
	}
	return spec
}

// openSmall opens the programs with small maps.
func openSmall(o Options) (*Programs, error) {
	spec, err := loadPrograms()
	if err != nil {
		return nil, err
	}
	return open(o, small(spec))
}

// openTested opens the programs until the test ends.
func openTested(t testing.TB, o Options) *Programs {
	t.Helper()
	p, err := openSmall(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// station is somebody on a network.
type station struct {
	name overlay.EndpointName
	mac  overlay.MAC
	ip   netip.Addr
}

func placeOf(name overlay.NetworkName, s station) dataplanetest.Place {
	return dataplanetest.Place{Network: name, Port: s.name}
}

// There are two on a bed, and one behind the node b.
var (
	alice = station{"alice", overlay.MAC{2, 0, 0, 0, 1, 1}, netip.AddrFrom4([4]byte{10, 7, 0, 11})}
	bob   = station{"bob", overlay.MAC{2, 0, 0, 0, 1, 2}, netip.AddrFrom4([4]byte{10, 7, 0, 12})}
	carol = station{"carol", overlay.MAC{2, 0, 0, 0, 2, 1}, netip.AddrFrom4([4]byte{10, 7, 0, 21})}
)

// vtepB is the node b's.
var vtepB = netip.AddrFrom4([4]byte{192, 0, 2, 2})

// stateWith has these networks, each with the three.
func stateWith(networks ...overlay.NetworkName) dataplane.State {
	s := dataplane.State{Node: "a", Networks: map[overlay.NetworkName]dataplane.Network{}}
	for _, name := range networks {
		n := dataplane.Network{
			Settings:  settings(name, overlay.Bridged, dataplanetest.Local(overlay.V4).Addr()),
			Ports:     map[overlay.EndpointName]dataplane.Port{},
			Remotes:   map[overlay.MAC]overlay.NodeName{carol.mac: "b"},
			Neighbors: map[netip.Addr]overlay.MAC{},
			Members:   map[overlay.NodeName]dataplane.Member{"b": {VTEP: vtepB, VTEPMAC: overlay.VTEPMACFor("b")}},
		}
		for _, at := range []station{alice, bob} {
			p := dataplane.Port{Name: at.name, Kind: overlay.PortSingle, MAC: at.mac, Device: string(name + "-" + overlay.NetworkName(at.name))}
			p.Addresses = []netip.Addr{at.ip, at.mac.LinkLocal()}
			p.Allowed = p.Addresses
			n.Ports[p.Name] = p
		}
		for _, at := range []station{alice, bob, carol} {
			n.Neighbors[at.ip], n.Neighbors[at.mac.LinkLocal()] = at.mac, at.mac
		}
		s.Networks[name] = n
	}
	return s
}

func vniOf(name overlay.NetworkName) overlay.VNI { return overlay.VNI(name[0]) }

// The host's devices of a network that are not ports.
func gatewayDevice(name overlay.NetworkName) string {
	return fmt.Sprintf("wfgw%06x", uint32(vniOf(name)))
}
func tunnelDevice(name overlay.NetworkName) string {
	return fmt.Sprintf("wfvx%06x", uint32(vniOf(name)))
}

// settings are those of a network.
func settings(name overlay.NetworkName, kind overlay.NetworkKind, local netip.Addr) dataplane.Settings {
	vni := vniOf(name)
	return dataplane.Settings{
		Name: name, VNI: vni, Kind: kind, Encapsulation: overlay.EncapVXLAN, Port: overlay.DefaultVXLANPort, Plane: overlay.PlaneEBPF,
		Local: local, MTU: 1430, UnderlayMTU: dataplanetest.UnderlayMTU, VTEPMAC: overlay.VTEPMACFor("a"), GatewayMAC: vni.GatewayMAC(),
		BUM: overlay.BUMReplicate, Gateways: []netip.Prefix{netip.MustParsePrefix("10.7.0.1/16"), netip.MustParsePrefix("fd07::1/64")},
	}
}

// apply has the plane make the host match a State, whatever there is.
func (b *bed) apply(t testing.TB, s dataplane.State) {
	t.Helper()
	if err := b.Apply(s, nil); err != nil {
		t.Fatal(err)
	}
}

// tables are what the maps hold of a network.
func (b *bed) tables(t testing.TB, name overlay.NetworkName) Tables {
	t.Helper()
	all, err := b.programs.read()
	if err != nil {
		t.Fatal(err)
	}
	return all.of(uint32(vniOf(name)))
}

// differs are what a plane finds not to be as wanted.
func differs(t testing.TB, p dataplane.Plane) (lines []string) {
	t.Helper()
	seen, err := p.Observe(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range seen.Networks {
		lines = append(lines, n.Differs...)
	}
	for _, n := range seen.Tunnels {
		lines = append(lines, n.Differs...)
	}
	slices.Sort(lines)
	return lines
}

// settled fails the test if anything is not as wanted.
func (b *bed) settled(t testing.TB) {
	t.Helper()
	for _, line := range differs(t, b.Plane) {
		t.Errorf("not as wanted: %s", line)
	}
}
