package ebpf

import (
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"weft/internal/testenv"
	"weft/overlay"
)

// Another version takes over, again and again, while everything is compared: not one
// packet is lost, and the maps keep what they have.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for _, h := range hooks {
		t.Run(string(h), func(t *testing.T) {
			t.Parallel()
			testUpgrade(t, newBedBy(t, overlay.AttachVeth, h), testenv.Rounds(4, 100), h)
		})
	}
}

// One takes over that attaches programs elsewhere, again and again. (Nobody compares at the same
// time who attaches them where they were: there is one agent on a host.)
func TestHookChanges(t *testing.T) {
	t.Parallel()
	b := newBedBy(t, overlay.AttachVeth, clsact)
	testUpgrade(t, b, 0, hooks[:]...)
	for _, h := range hooks {
		found, err := b.programs.attachers()[h].all()
		if err != nil {
			t.Fatal(err)
		}
		if want := map[hook]int{tcx: 0, clsact: 5}[h]; len(found) != want {
			t.Errorf("want %d programs at %s, got %v", want, h, found)
		}
	}
	if qdiscs := strings.Count(b.qdiscs(t), "clsact"); qdiscs != 5 {
		t.Errorf("want 5 qdiscs, got %d", qdiscs)
	}
}

// testUpgrade has others take over that attach programs to these hooks in turn, while
// everything is compared so often.
func testUpgrade(t *testing.T, b *bed, compared int, at ...hook) {
	state := stateWith("blue")
	b.apply(t, state)
	before := b.tables(t, "blue")

	upgraded := make(chan error, 1)
	go func() {
		var both errgroup.Group
		both.Go(func() error { return b.upgrade(testenv.Rounds(4, 100), at...) })
		both.Go(func() error {
			for range compared {
				if err := b.Apply(state, nil); err != nil {
					return err
				}
			}
			return nil
		})
		upgraded <- both.Wait()
	}()
	packets := stream{b: b, name: "blue"}
	for running := true; running; {
		select {
		case err := <-upgraded:
			running = false
			if err != nil {
				t.Error(err)
			}
		default:
		}
		if err := packets.send(100); err != nil {
			t.Fatal(err)
		}
	}
	b.apply(t, state) // the last one's programs may run
	b.settled(t)
	if wrong := differing(before, b.tables(t, "blue")); len(wrong) > 0 {
		t.Errorf("the maps have changed: %s", wrong)
	}
	t.Logf("%d packets each way", packets.next)
}

// upgrade has other programs take over so often, at these hooks in turn.
func (b *bed) upgrade(rounds int, at ...hook) error {
	for i := range rounds {
		o := b.options
		o.hook = at[i%len(at)]
		p, err := openSmall(o)
		if err != nil {
			return err
		}
		if err := p.Close(); err != nil {
			return err
		}
	}
	return nil
}
