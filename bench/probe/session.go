package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Session is the side of measurements where packets leave. Its methods may be called
// by one goroutine at a time.
type Session struct {
	Options
	place Place
	boot  string
	conn  *connection
	stop  func() bool
}

// Dial begins a session with a server, which has two seconds to answer. Ctx ends the
// session.
func Dial(ctx context.Context, place Place, o Options) (*Session, error) {
	s := &Session{Options: o.withDefaults(), place: place}
	if s.Span < 0 || s.Span > MaxSpan {
		return nil, fmt.Errorf("measure for %v: want up to %v", s.Span, MaxSpan)
	}
	var err error
	if s.boot, err = boot(); err != nil {
		return nil, err
	}
	var c net.Conn
	if err := place.do(func() error {
		c, err = (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", o.Server.String())
		return err
	}); err != nil {
		return nil, err
	}
	s.conn = newConnection(c)
	s.stop = context.AfterFunc(ctx, func() { c.Close() })
	return s, nil
}

// Close ends the session, if its context has not done so.
func (s *Session) Close() error {
	if !s.stop() {
		return nil
	}
	return s.conn.Close()
}

// Streams measures so many TCP streams at once.
func (s *Session) Streams(n int) (Throughput, error) {
	var t Throughput
	a, clock, err := s.measure(request{Measure: measureStreams, Streams: n, Congestion: s.Congestion}, func(to netip.AddrPort) error {
		done := make([]<-chan error, n)
		for i := range done {
			done[i] = s.place.thread(func() error { return s.stream(to) })
		}
		return wait(done)
	})
	if err != nil {
		return t, fmt.Errorf("measure TCP: %w", err)
	}
	if a.Count == 0 {
		return t, errors.New("measure TCP: nothing arrived")
	}
	// A receiver that came late read what was waiting in no time.
	return Throughput{Bytes: a.Count, Took: max(a.Took, s.Span), CPU: a.CPU, Clock: clock}, nil
}

// stream sends a stream for the span.
func (s *Session) stream(to netip.AddrPort) error {
	fd, err := s.place.sender(to, unix.SOCK_STREAM, s.Congestion)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	buffer := make([]byte, 128<<10)
	for end := time.Now().Add(s.Span); time.Now().Before(end); {
		if _, err := again(unix.Write, fd, buffer); err != nil {
			return fmt.Errorf("send stream: %w", err)
		}
	}
	return nil
}

// Packets searches the highest rate at which UDP packets with payloads of size bytes
// arrive, all but the loss that is allowed, and returns what happened at that rate.
// It takes the span once where the way pushes back, and up to 13 times else.
func (s *Session) Packets(size int) (Packets, error) {
	p, err := search(s.Loss, func(rate float64) (Packets, error) { return s.PacketsAt(size, rate) })
	if err != nil {
		return p, fmt.Errorf("measure UDP: %w", err)
	}
	return p, nil
}

// PacketsAt sends UDP packets at a rate, in packets per second; 0 is as fast as it
// goes.
func (s *Session) PacketsAt(size int, rate float64) (Packets, error) {
	var p Packets
	mark := rand.Uint32()
	a, clock, err := s.measure(request{Measure: measurePackets, Size: size, Mark: mark}, func(to netip.AddrPort) error {
		return <-s.place.thread(func() (err error) {
			p.Sent, err = s.sendPackets(to, size, mark, rate)
			return err
		})
	})
	p.Received, p.Took, p.CPU, p.Clock = a.Count, a.Took, a.CPU, clock
	return p, err
}

func (s *Session) sendPackets(to netip.AddrPort, size int, mark uint32, rate float64) (sent int64, err error) {
	fd, err := s.place.sender(to, unix.SOCK_DGRAM, "")
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	buffers := newPackets(size)
	for i := range batch {
		binary.BigEndian.PutUint32(buffers.at(i), mark)
	}
	pace := newPacer(rate)
	for began := time.Now(); ; {
		since := time.Since(began)
		if since >= s.Span && sent > 0 {
			return sent, nil
		}
		n := pace.due(since, sent)
		if n == 0 {
			continue // spin: no timer is exact enough
		}
		n, err := buffers.send(fd, n)
		switch {
		case err == unix.ENOBUFS || err == unix.ECONNREFUSED: // lost on the way out
			sent++
		case err != nil:
			return sent, fmt.Errorf("send packets: %w", err)
		}
		sent += int64(n)
	}
}

// Transactions measures requests of one byte over one TCP connection.
func (s *Session) Transactions() (Transactions, error) {
	var t Transactions
	_, _, err := s.measure(request{Measure: measureTransactions, Congestion: s.Congestion}, func(to netip.AddrPort) error {
		return <-s.place.thread(func() (err error) {
			t, err = s.request(to)
			return err
		})
	})
	if err != nil {
		return t, fmt.Errorf("measure transactions: %w", err)
	}
	return t, nil
}

func (s *Session) request(to netip.AddrPort) (t Transactions, err error) {
	fd, err := s.place.sender(to, unix.SOCK_STREAM, s.Congestion)
	if err != nil {
		return t, err
	}
	defer unix.Close(fd)
	buffer := make([]byte, 1)
	began := time.Now()
	for last := began; t.Took < s.Span; {
		if _, err := again(unix.Write, fd, buffer); err != nil {
			return t, fmt.Errorf("send request: %w", err)
		}
		if n, err := again(unix.Read, fd, buffer); err != nil || n == 0 {
			return t, fmt.Errorf("read answer: %w", err)
		}
		now := time.Now()
		t.Trips, t.Took, last = append(t.Trips, now.Sub(last)), now.Sub(began), now
	}
	slices.Sort(t.Trips)
	return t, nil
}

// measure announces a measurement, has send do it, and returns what the server says of
// it, with the CPU time of both hosts, and for how long that was counted.
func (s *Session) measure(r request, send func(to netip.AddrPort) error) (a answer, clock time.Duration, err error) {
	if err := s.ask(r, &a); err != nil {
		return a, 0, err
	}
	to := netip.AddrPortFrom(s.Server.Addr(), a.Port)
	used, err := beginUsage()
	if err != nil {
		return a, 0, err
	}
	sendErr := send(to)
	clock = time.Since(used.began)
	a = answer{}
	// Also after a failure: the server waits for the end.
	err = s.ask(request{Measure: measureEnd}, &a)
	if sendErr != nil || err != nil {
		return a, 0, errors.Join(sendErr, err)
	}
	cpu, _, err := used.end()
	if a.Boot == s.boot {
		a.CPU = cpu
	} else {
		a.CPU += cpu
	}
	return a, clock, err
}

// ask sends a request and reads the answer.
func (s *Session) ask(r request, a *answer) error {
	if err := s.conn.SetDeadline(time.Now().Add(2*MaxSpan + patience)); err != nil {
		return err
	}
	if err := s.conn.out.Encode(r); err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	if err := s.conn.in.Decode(a); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	return nil
}
