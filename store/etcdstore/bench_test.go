package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"weft/overlay"
	"weft/store"
)

// footprint opens a store in a folder, fills it if it is empty, lists it, and
// prints how long it took to be ready and its memory, as VmHWM has it (proc(5)).
func footprint(dir string, endpoints int) error {
	start := time.Now()
	e, err := Embed(context.Background(), dir, EmbedOptions{})
	if err != nil {
		return err
	}
	ready := time.Since(start)
	listed, found := errors.New("listed"), 0
	in := store.Interest{Kinds: []overlay.Kind{overlay.KindEndpoint}}
	err = e.Watch(context.Background(), in, overlay.Revision{}, func(b store.Batch) error {
		found = len(b.Puts)
		return listed
	})
	if !errors.Is(err, listed) {
		return err
	}
	if found == 0 {
		if err := fill(context.Background(), e, 100, endpoints); err != nil {
			return err
		}
	}
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[0] == "VmHWM:" {
			fmt.Println(ready.Milliseconds(), f[1], found)
		}
	}
	return e.Close()
}

// TestFootprint: a store with 10,000 endpoints leaves most of a server's 200 MiB
// to the rest of it, also when it starts with them. How soon it is ready is logged:
// that is a matter of the machine, and of test/bench.
func TestFootprint(t *testing.T) {
	dir := t.TempDir()
	const endpoints = 10_000
	for _, atStart := range []int{0, endpoints} {
		p := spawn(t, "footprint", dir, strconv.Itoa(endpoints))
		var millis, kib, found int
		if !p.out.Scan() {
			t.Fatal("no result")
		}
		if _, err := fmt.Sscan(p.out.Text(), &millis, &kib, &found); err != nil || found != atStart {
			t.Fatalf("got %q, want %d endpoints", p.out.Text(), atStart)
		}
		if err := p.Wait(); err != nil {
			t.Fatal(err)
		}
		mib := kib >> 10
		t.Logf("with %d endpoints at the start: ready after %v, %d MiB at most", atStart, time.Duration(millis)*time.Millisecond, mib)
		if mib > 120 && !raceDetector {
			t.Errorf("it took %d MiB", mib)
		}
	}
}

// BenchmarkCreate is an endpoint's creation: one transaction, synced to disk.
func BenchmarkCreate(b *testing.B) {
	e := embedded(b, b.TempDir(), EmbedOptions{})
	if err := fill(b.Context(), e, 1, 0); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		put(b, e, endpoint("blue", node(0), n))
		n++
	}
}

// BenchmarkChange is a change of what exists, from the write to its arrival at
// a watch.
func BenchmarkChange(b *testing.B) {
	e := embedded(b, b.TempDir(), EmbedOptions{})
	batches, _ := background(b.Context(), e, put(b, e, node(1)))
	n := node(1)
	for b.Loop() {
		n.Spec.UnderlayMTU++
		put(b, e, n)
		<-batches
	}
}

// BenchmarkList lists 10,000 endpoints, and the hundred of one node.
func BenchmarkList(b *testing.B) {
	e := embedded(b, b.TempDir(), EmbedOptions{})
	if err := fill(b.Context(), e, 100, 10_000); err != nil {
		b.Fatal(err)
	}
	for name, in := range map[string]store.Interest{
		"all":  {Kinds: []overlay.Kind{overlay.KindEndpoint}},
		"node": {Kinds: []overlay.Kind{overlay.KindEndpoint}, Node: "n1"},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				list(b, e, in)
			}
		})
	}
}
