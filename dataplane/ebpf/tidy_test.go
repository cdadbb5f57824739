package ebpf

import (
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// empty fails the test if there is anything of a network in the maps.
func (b *bed) empty(t testing.TB, name overlay.NetworkName) {
	t.Helper()
	if n := b.tables(t, name).Len(); n > 0 {
		t.Errorf("%d entries of %s are left", n, name)
	}
	drops, err := b.programs.Drops(vniOf(name))
	if err != nil {
		t.Fatal(err)
	}
	if len(drops) > 0 {
		t.Errorf("counters of %s are left: %v", name, drops)
	}
	if sums, err := b.programs.retired(uint32(vniOf(name))); err != nil || sums != (totals{}) {
		t.Errorf("sums of %s are left: %v, %v", name, sums, err)
	}
}

// pins are the devices and roles that there are programs for.
func (b *bed) pins(t testing.TB) (names []string) {
	t.Helper()
	files, err := os.ReadDir(b.programs.links())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

// devices are those of the host, by name.
func (b *bed) devices(t testing.TB) map[string]int {
	t.Helper()
	found := map[string]int{}
	if err := netns.Do(b.on.Namespace, func() error {
		all, err := net.Interfaces()
		for _, i := range all {
			found[i.Name] = i.Index
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// deleteLinks does what is done first when a network is removed.
func (b *bed) deleteLinks(t testing.TB, name overlay.NetworkName) {
	t.Helper()
	for device := range b.devices(t) {
		if strings.HasPrefix(device, string(name)) || strings.HasPrefix(device, gatewayDevice(name)) {
			testenv.Run(t, b.on.Namespace, "ip", "link", "delete", device)
		}
	}
	if _, ok := b.devices(t)[tunnelDevice(name)]; ok {
		testenv.Run(t, b.on.Namespace, "ip", "link", "delete", tunnelDevice(name))
	}
	if err := netns.Delete(filepath.Join(b.on.NetnsDir, "weft-"+string(name))); err != nil {
		t.Fatal(err)
	}
}

// spoof has something of the network dropped and counted.
func (b *bed) spoof(t testing.TB, name overlay.NetworkName) {
	t.Helper()
	s := stream{b: b, name: name}
	if err := b.Inject(placeOf(name, alice), s.frame(bob, carol)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Deliveries(); err != nil {
		t.Fatal(err)
	}
	drops, err := b.programs.Drops(vniOf(name))
	if err != nil {
		t.Fatal(err)
	}
	if drops[overlay.DropSpoofedMAC] != 1 {
		t.Fatalf("want one frame dropped, got %v", drops)
	}
}

// What is of a network goes with it, and nothing of another's.
func TestTidy(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	b.apply(t, stateWith("blue"))
	blue, pins := b.tables(t, "blue"), b.pins(t)
	b.apply(t, stateWith("blue", "red"))
	b.spoof(t, "red")
	b.apply(t, stateWith("blue"))
	b.empty(t, "red")
	if wrong := differing(blue, b.tables(t, "blue")); len(wrong) > 0 {
		t.Errorf("the other network has changed: %s", wrong)
	}
	if now := b.pins(t); !slices.Equal(now, pins) {
		t.Errorf("want pins %q, got %q", pins, now)
	}
	b.passes(t, "blue")
	b.apply(t, dataplane.State{Node: "a"})
	b.empty(t, "blue")
	if now := b.pins(t); len(now) > 0 {
		t.Errorf("pins are left: %q", now)
	}
	if err := scan(b.programs.objects.Tunnels, func(k programsTunnelKey, _ uint32) { t.Errorf("tunnel %v is left", k) }); err != nil {
		t.Error(err)
	}
}

// Who is killed when the links are gone and the entries are not leaves these to who comes
// next, who keeps what is held.
func TestTidyAfterKill(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	b.apply(t, stateWith("blue", "red"))
	b.spoof(t, "red")
	blue := b.tables(t, "blue")
	b.deleteLinks(t, "red")

	next := b.another(t, openTested(t, b.options))
	defer func() {
		if err := next.Close(); err != nil {
			t.Error(err)
		}
	}()
	held := dataplane.State{Node: "a", Held: map[overlay.NetworkName]string{"blue": "it has a field from the future"}}
	if err := next.Apply(t.Context(), held, nil); err != nil {
		t.Fatal(err)
	}
	b.empty(t, "red")
	if wrong := differing(blue, b.tables(t, "blue")); len(wrong) > 0 {
		t.Errorf("what is held has changed: %s", wrong)
	}
	b.passes(t, "blue")
}

// A port leaves nothing when a Delta takes it away, and gets everything when one brings it
// back, or has another endpoint there.
func TestPortsOfDelta(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	full := stateWith("blue")
	full.Generation = 1
	b.apply(t, full)
	fewer := full.Clone()
	fewer.Generation = 2
	delete(fewer.Networks["blue"].Ports, alice.name)
	again := full.Clone()
	again.Generation = 3
	replaced := full.Clone()
	replaced.Generation = 4
	p := replaced.Networks["blue"].Ports[alice.name]
	p.MAC[5]++
	replaced.Networks["blue"].Ports[alice.name] = p

	last := full
	for _, next := range []dataplane.State{fewer, again, replaced} {
		d := dataplane.Between(last, next)
		if err := b.Apply(next, &d); err != nil {
			t.Fatal(err)
		}
		b.settled(t)
		devices := slices.Collect(maps.Values(b.devices(t)))
		for index := range b.tables(t, "blue").ports {
			if !slices.Contains(devices, int(index)) {
				t.Errorf("an entry of device %d, which is gone, is left", index)
			}
		}
		if next.Generation == again.Generation {
			b.passes(t, "blue")
		}
		last = next
	}
}
