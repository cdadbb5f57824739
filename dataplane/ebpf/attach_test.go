package ebpf

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// Whatever somebody does to the filters is seen, and repaired.
func TestTamperingWithFilters(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "tc")
	b := newBedBy(t, overlay.AttachVeth, clsact)
	state := stateWith("blue")
	b.apply(t, state)
	tc := func(args string) func() {
		return func() { testenv.Run(t, b.on.Namespace, append([]string{"tc"}, strings.Fields(args)...)...) }
	}
	for _, c := range []struct {
		name string
		do   func()
		seen string
	}{
		{"qdisc deleted", tc("qdisc del dev blue-alice clsact"), "no program on device"},
		{"filters deleted", tc("filter del dev eth0 ingress"), "no program on device"},
		{"filter deleted", tc("filter del dev " + tunnelDevice("blue") + " ingress prio 7 handle 0x77656674 bpf"), "no program on device"},
		{"another program", func() {
			a := attachment{uint32(b.devices(t)[gatewayDevice("blue")]), onGateway}
			if err := b.programs.attachers()[clsact].attach(a, b.programs.objects.FromTunnel); err != nil {
				t.Fatal(err)
			}
		}, "another program on device"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.do()
			if seen := strings.Join(differs(t, b.Plane), "\n"); !strings.Contains(seen, c.seen) {
				t.Errorf("want %q to be seen, got %q", c.seen, seen)
			}
			b.apply(t, state)
			b.settled(t)
			b.passes(t, "blue")
		})
	}
}

// What others have on a device stays, and so does a qdisc that they use.
func TestForeignFilters(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "tc")
	b := newBedBy(t, overlay.AttachVeth, clsact)
	tc := func(args string) {
		t.Helper()
		testenv.Run(t, b.on.Namespace, append([]string{"tc"}, strings.Fields(args)...)...)
	}
	tc("qdisc add dev eth0 clsact") // as somebody has it who has no filter yet
	tc("filter add dev eth0 egress prio 1 u32 match u32 0 0 flowid 1:1")
	b.apply(t, stateWith("blue"))
	tc("filter add dev eth0 ingress prio 1 u32 match ip dst 203.0.113.1/32 flowid 1:1")
	tc("filter add dev eth0 ingress prio 9 u32 match ip dst 203.0.113.2/32 flowid 1:1")
	tc("filter add dev blue-alice egress prio 3 u32 match u32 0 0 flowid 1:1")
	b.passes(t, "blue")
	b.settled(t)

	if err := Remove(b.options.Dir, b.options.Host); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ direction, device, filter string }{
		{"ingress", "eth0", "pref 1 u32"}, {"ingress", "eth0", "pref 9 u32"}, {"egress", "eth0", "pref 1 u32"}, {"egress", "blue-alice", "pref 3 u32"},
	} {
		shown := testenv.Output(t, b.on.Namespace, "tc", "filter", "show", "dev", want.device, want.direction)
		if !strings.Contains(shown, want.filter) || strings.Contains(shown, filterTag) {
			t.Errorf("want %s's %s, and nothing of Weft's:\n%s", want.device, want.filter, shown)
		}
	}
	if n := strings.Count(b.qdiscs(t), "clsact"); n != 2 {
		t.Errorf("want the two qdiscs that are used, got %s", b.qdiscs(t))
	}
}

// A qdisc that was there before stays when nothing is on it any more.
func TestForeignQdisc(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "tc")
	b := newBedBy(t, overlay.AttachVeth, clsact)
	testenv.Run(t, b.on.Namespace, "tc", "qdisc", "add", "dev", "eth0", "clsact")
	before := b.qdiscs(t)
	b.apply(t, stateWith("blue"))
	b.apply(t, stateWith())
	if now := b.qdiscs(t); now != before {
		t.Errorf("want qdiscs\n%s got\n%s", before, now)
	}
}

// Who was killed after a program was attached, and before that was written down, leaves a
// link that nobody finds by its pin; the kernel takes the same program no second time.
func TestAttachAgain(t *testing.T) {
	t.Parallel()
	b := newBedBy(t, overlay.AttachVeth, tcx)
	b.apply(t, stateWith("blue"))
	alice := attachment{uint32(b.devices(t)["blue-alice"]), onPort}
	pin := b.pin(t, "blue-alice", onPort)
	running := func() (ids []ebpf.ProgramID) {
		t.Helper()
		if err := netns.Do(b.on.Namespace, func() error {
			found, err := link.QueryPrograms(link.QueryOptions{Target: int(alice.index), Attach: ebpf.AttachTCXIngress})
			if err == nil {
				for _, p := range found.Programs {
					ids = append(ids, p.ID)
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return ids
	}
	before := running()
	for name, held := range map[string]bool{"on its way out": false, "held": true} {
		t.Run(name, func(t *testing.T) {
			for range testenv.Rounds(20, 200) {
				l, err := link.LoadPinnedLink(pin, nil)
				if err != nil {
					t.Fatal(err)
				}
				if !held {
					err = l.Close()
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Remove(pin); err != nil {
					t.Fatal(err)
				}
				if err := b.programs.attach(alice); err != nil {
					t.Fatal(err)
				}
				if held {
					if err := l.Close(); err != nil {
						t.Fatal(err)
					}
				}
				if now := running(); !slices.Equal(now, before) {
					t.Fatalf("want programs %v, got %v", before, now)
				}
			}
			b.settled(t)
			b.passes(t, "blue")
		})
	}
}
