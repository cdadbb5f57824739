package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// counted is what a receiver has seen.
type counted struct {
	count int64
	took  time.Duration
}

// receiving is a measurement's receiving half under way.
type receiving struct {
	port uint16
	// ended: the sender has said that it sends no more.
	ended atomic.Bool
	wait  func() (counted, error)
}

// receive begins to receive at an address what the request announces.
func (p Place) receive(at netip.Addr, r request) (*receiving, error) {
	kind := unix.SOCK_STREAM
	if r.Measure == measurePackets {
		kind = unix.SOCK_DGRAM
	}
	if r.Congestion == "" {
		r.Congestion = DefaultCongestion
	}
	fd, port, err := p.receiver(at, kind, r.Congestion)
	if err != nil {
		return nil, err
	}
	way := &receiving{port: port}
	switch r.Measure {
	case measureStreams:
		way.wait = p.receiveStreams(fd, r.Streams)
	case measurePackets:
		way.wait = p.receivePackets(fd, r, &way.ended)
	case measureTransactions:
		way.wait = p.answerRequests(fd)
	}
	return way, nil
}

// receiveStreams reads streams to their ends, each on a thread of its own.
func (p Place) receiveStreams(listener, streams int) func() (counted, error) {
	var (
		total atomic.Int64
		first time.Time
		once  sync.Once
	)
	done := make([]<-chan error, streams)
	for i := range done {
		done[i] = p.thread(func() error {
			fd, err := accept(listener)
			if err != nil {
				return err
			}
			once.Do(func() { first = time.Now() })
			n, err := drain(fd)
			total.Add(n)
			return errors.Join(err, unix.Close(fd))
		})
	}
	return func() (counted, error) {
		err := wait(done)
		return counted{total.Load(), time.Since(first)}, errors.Join(err, unix.Close(listener))
	}
}

// drain reads a stream to its end.
func drain(fd int) (total int64, err error) {
	buffer := make([]byte, 256<<10)
	for {
		n, err := again(unix.Read, fd, buffer)
		if err != nil {
			return total, fmt.Errorf("receive stream: %w", err)
		}
		if n == 0 {
			return total, nil
		}
		total += int64(n)
	}
}

// quiet is for how long nothing may come before the last packet has come, once the
// sender has ended.
const quiet = 50 * time.Millisecond

// receivePackets counts packets that begin with the mark until the sender has ended
// and nothing more comes.
func (p Place) receivePackets(fd int, r request, ended *atomic.Bool) func() (counted, error) {
	var c counted
	done := p.thread(func() error {
		nap := unix.NsecToTimeval(quiet.Nanoseconds())
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &nap); err != nil {
			return err
		}
		buffers := newPackets(r.Size)
		var first, last time.Time
		for {
			n, err := buffers.receive(fd)
			switch {
			case err == unix.EAGAIN && ended.Load():
				c.took = last.Sub(first)
				return nil
			case err == unix.EAGAIN:
				continue
			case err != nil:
				return fmt.Errorf("receive packets: %w", err)
			}
			last = time.Now()
			if c.count == 0 {
				first = last
			}
			for i := range n {
				if buffers.length(i) == r.Size && binary.BigEndian.Uint32(buffers.at(i)) == r.Mark {
					c.count++
				}
			}
		}
	})
	return func() (counted, error) {
		err := <-done
		return c, errors.Join(err, unix.Close(fd))
	}
}

// answerRequests sends every byte of one stream back.
func (p Place) answerRequests(listener int) func() (counted, error) {
	var c counted
	done := p.thread(func() error {
		fd, err := accept(listener)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		buffer := make([]byte, 1)
		for {
			n, err := again(unix.Read, fd, buffer)
			if n == 0 && err == nil {
				return nil
			}
			if err == nil {
				_, err = again(unix.Write, fd, buffer[:n])
			}
			if err != nil {
				return fmt.Errorf("answer requests: %w", err)
			}
			c.count++
		}
	})
	return func() (counted, error) {
		err := <-done
		return c, errors.Join(err, unix.Close(listener))
	}
}

// wait waits for all threads.
func wait(done []<-chan error) error {
	var errs []error
	for _, d := range done {
		errs = append(errs, <-d)
	}
	return errors.Join(errs...)
}
