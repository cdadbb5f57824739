package control

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"weft/overlay"
	"weft/store"
)

// planes of a node's report, by network: "ebpf (auto: …)", and the better one.
func reported(t *testing.T, s store.Store) map[overlay.NetworkName][2]string {
	t.Helper()
	self, err := find[*overlay.Node](t, s, overlay.Key{Kind: overlay.KindNode, Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	found := map[overlay.NetworkName][2]string{}
	for _, r := range self.Status.Networks {
		found[r.Network] = [2]string{string(r.Plane) + " (" + r.PlaneReason + ")", string(r.BetterPlane)}
	}
	return found
}

// respec changes what node a says of itself.
func respec(t *testing.T, s store.Store, change func(*overlay.NodeSpec)) {
	t.Helper()
	self, err := find[*overlay.Node](t, s, overlay.Key{Kind: overlay.KindNode, Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	next := *self
	change(&next.Spec)
	put(t, s, &next)
}

// TestChoiceStays: a plane that was chosen stays when the node has a better one, over a restart
// too, until somebody says otherwise; that stays as well. A node that leaves a network forgets.
func TestChoiceStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cache := world(t), cachePath(t)
		put(t, s, web("blue", "web", "a", 5))
		expect := func(plane, better string) {
			t.Helper()
			pass(30 * time.Second) // the next report
			if got := reported(t, s)["blue"]; got != [2]string{plane, better} {
				t.Errorf("reported %q, want %q, %q", got, plane, better)
			}
		}
		both := func(n *overlay.NodeSpec) { n.Planes = []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel} }
		n := start(t, s, cache, nil)
		expect("kernel (auto: the only plane here)", "")
		respec(t, s, both)
		expect("kernel (auto: the only plane here)", "ebpf")
		n.stop()
		n = start(t, s, cache, nil)
		expect("kernel (auto: the only plane here)", "ebpf")
		respec(t, s, func(n *overlay.NodeSpec) {
			n.NetworkPlanes = map[overlay.NetworkName]overlay.PlaneName{"blue": overlay.PlaneEBPF}
		})
		expect("ebpf (weft node migrate-plane)", "")
		respec(t, s, func(n *overlay.NodeSpec) { n.NetworkPlanes = nil }) // as a store that was wiped has it
		expect("ebpf (weft node migrate-plane)", "")
		n.stop()

		n = start(t, s, cache, nil)
		expect("ebpf (weft node migrate-plane)", "")
		if _, _, err := s.Update(t.Context(), store.Change{Delete: web("blue", "web", "a", 5).Key(), Expect: store.Any}); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		put(t, s, web("blue", "web", "a", 5))
		expect("ebpf (auto: this node has all that it needs)", "")
		n.stop()
	})
}

// TestChoiceIsFound: networks that were on the host without being recorded stay as they were
// found, also where the record is damaged.
func TestChoiceIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cache := world(t), cachePath(t)
		respec(t, s, func(n *overlay.NodeSpec) { n.Planes = []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel} })
		put(t, s, web("blue", "web", "a", 5))
		put(t, s, web("green", "db", "a", 6))
		if err := os.WriteFile(cache+".planes", []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		start(t, s, cache, func(o *Options) {
			o.Found = map[overlay.NetworkName]overlay.PlaneName{"blue": overlay.PlaneKernel}
		})
		pass(time.Second)
		got := reported(t, s)
		if got["blue"] != [2]string{"kernel (" + foundReason + ")", "ebpf"} || got["green"] != [2]string{"ebpf (auto: this node has all that it needs)", ""} {
			t.Errorf("reported %q", got)
		}
		if aside, err := filepath.Glob(cache + ".planes*"); err != nil || len(aside) != 2 {
			t.Errorf("files %q, %v; want the damaged one beside the new one", aside, err)
		}
	})
}
