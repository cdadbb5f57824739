package interop

import (
	"context"
	"testing"
	"time"

	"weft/internal/netns"
	"weft/trace"
)

// capture is what passes a device from now on, until it is read.
type capture struct {
	testing.TB
	*trace.Capture
}

// listen captures on a device in a namespace.
func listen(t testing.TB, ns, device string) capture {
	t.Helper()
	c, err := trace.Open(trace.Options{Interface: device, Enter: func(f func() error) error { return netns.Do(ns, f) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return capture{t, c}
}

// frames are those that were captured: all that has passed by now is in the socket already.
func (c capture) frames() (frames []trace.Frame) {
	c.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	for f, err := range c.Frames(ctx) {
		if err != nil {
			c.Fatal(err)
		}
		frames = append(frames, f)
	}
	if lost, err := c.Lost(); err != nil || lost > 0 {
		c.Fatalf("%d frames did not fit the capture: %v", lost, err)
	}
	return frames
}

// longest is the length of the longest frame.
func longest(frames []trace.Frame) (n int) {
	for _, f := range frames {
		n = max(n, f.Length)
	}
	return n
}
