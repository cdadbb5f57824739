package linux

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// pump injects frames from one CPU, and knows when the kernel has done with them.
//
// A frame that goes from one device to another waits in the receiving CPU's queue,
// which is that of the sender; and such a queue keeps its order (net/core/dev.c,
// enqueue_to_backlog). So when a marker that was sent from the same CPU has come
// out, whatever stood before it has gone at least one device further.
type pump struct {
	work chan func()
	done chan struct{}
	// A veth of its own, for markers.
	from, to wire
	serial   uint64
}

// passes is more devices than any frame goes through on a node.
const passes = 12

func newPump(from, to wire) *pump {
	p := &pump{work: make(chan func()), done: make(chan struct{}), from: from, to: to}
	pinned := make(chan struct{})
	go p.run(pinned)
	<-pinned
	return p
}

// run holds a thread to one CPU; the thread ends with it.
func (p *pump) run(pinned chan<- struct{}) {
	defer close(p.done)
	runtime.LockOSThread()
	err := pin()
	close(pinned)
	if err != nil {
		panic(err) // the order that all stands on is not there
	}
	for f := range p.work {
		f()
	}
}

// pin holds the calling thread to the CPU that it is on.
func pin() error {
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	for cpu := range len(allowed) * 64 {
		if allowed.IsSet(cpu) {
			one.Set(cpu)
			break
		}
	}
	return os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &one))
}

func (p *pump) stop() {
	close(p.work)
	<-p.done
}

// do runs f on the pump's CPU.
func (p *pump) do(f func() error) error {
	answer := make(chan error)
	p.work <- func() { answer <- f() }
	return <-answer
}

func (p *pump) inject(w wire, frame []byte) error {
	return p.do(func() error { return w.write(frame) })
}

// settle waits until all that was injected has come out, or has gone.
func (p *pump) settle() error {
	return p.do(func() error {
		for range passes {
			if err := p.mark(); err != nil {
				return err
			}
		}
		return nil
	})
}

// mark sends a marker and waits until it comes out.
func (p *pump) mark() error {
	p.serial++
	marker := []byte{0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1, 0x88, 0xb6} // local experimental 2
	marker = binary.BigEndian.AppendUint64(marker, p.serial)
	if err := p.from.write(marker); err != nil {
		return err
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		frame, err := p.to.read()
		if err != nil || bytes.Equal(frame, marker) {
			return err
		}
		if err := p.wait(); err != nil {
			return err
		}
	}
	return fmt.Errorf("marker %d does not come out", p.serial)
}

// wait blocks until there is something to read, or for a moment.
func (p *pump) wait() error {
	w, ok := p.to.(*packetWire)
	if !ok {
		return errors.New("markers need a packet socket")
	}
	_, err := unix.Poll([]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}, 100)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	return os.NewSyscallError("poll", err)
}
