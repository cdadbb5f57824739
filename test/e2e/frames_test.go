package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/sys/unix"

	"weft/trace"
)

// send sends frames out of the workload's eth0, as they are.
func (w *workload) send(frames ...[]byte) error {
	return w.Do(func() error {
		device, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for _, f := range frames {
			if err := unix.Sendto(fd, f, 0, &unix.SockaddrLinklayer{Ifindex: device.Index}); err != nil {
				return fmt.Errorf("%s sends a frame: %w", w.name, err)
			}
		}
		return nil
	})
}

// listen captures what comes to and leaves the workload's eth0, until the test ends.
func (w *workload) listen() *trace.Capture {
	t := w.host.s.t
	t.Helper()
	c, err := trace.Open(trace.Options{Enter: w.Do, Interface: "eth0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// heard returns those of the texts that are in frames which came in before one with
// the text end.
func heard(ctx context.Context, c *trace.Capture, end string, texts ...string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var found []string
	for f, err := range c.Frames(ctx) {
		if err != nil {
			return nil, err
		}
		if f.Direction != trace.In {
			continue
		}
		for _, text := range texts {
			if strings.Contains(string(f.Data), text+"\n") {
				found = append(found, text)
			}
		}
		if strings.Contains(string(f.Data), end+"\n") {
			lost, err := c.Lost()
			if lost > 0 {
				err = errors.Join(err, fmt.Errorf("the capture lost %d frames", lost))
			}
			return found, err
		}
	}
	return nil, fmt.Errorf("%q did not come", end)
}
