package ebpf

import (
	"testing"

	"golang.org/x/sync/errgroup"

	"weft/internal/testenv"
	"weft/overlay"
)

// Another version takes over, again and again, while everything is compared: not one
// packet is lost, and the maps keep what they have.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	state := stateWith("blue")
	b.apply(t, state)
	before := b.tables(t, "blue")

	upgraded := make(chan error, 1)
	go func() {
		var both errgroup.Group
		both.Go(func() error { return b.upgrade(testenv.Rounds(20, 200)) })
		both.Go(func() error {
			for range testenv.Rounds(10, 100) {
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
	b.settled(t)
	if wrong := differing(before, b.tables(t, "blue")); len(wrong) > 0 {
		t.Errorf("the maps have changed: %s", wrong)
	}
	t.Logf("%d packets each way", packets.next)
}

// upgrade has other programs take over so often.
func (b *bed) upgrade(rounds int) error {
	for range rounds {
		p, err := openSmall(b.dir, b.on.Namespace)
		if err != nil {
			return err
		}
		if err := p.Close(); err != nil {
			return err
		}
	}
	return nil
}
