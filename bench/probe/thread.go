package probe

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// thread runs f on a thread of its own, which stays on the place's CPU. The channel
// has what f returned.
func (p Place) thread(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with f
		if err := p.stay(); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return done
}

// stay keeps the calling thread on the place's CPU.
func (p Place) stay() error {
	if p.CPU < 0 {
		return nil
	}
	var set unix.CPUSet
	set.Set(p.CPU)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("stay on CPU %d: %w", p.CPU, err)
	}
	return nil
}

// do runs f in the place's namespace.
func (p Place) do(f func() error) error {
	if p.Namespace == "" {
		return f()
	}
	return netns.Do(p.Namespace, f)
}
