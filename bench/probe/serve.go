package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
)

// Server is the side of measurements where packets arrive.
type Server struct {
	place    Place
	listener net.Listener
	boot     string
	// measuring is held by the session whose turn it is: two at once would measure
	// each other.
	measuring sync.Mutex
}

// Listen makes a server at an address in the place; port 0 is one that the kernel
// chooses.
func Listen(place Place, at netip.AddrPort) (*Server, error) {
	id, err := boot()
	if err != nil {
		return nil, err
	}
	s := &Server{place: place, boot: id}
	if err := place.do(func() error {
		s.listener, err = net.Listen("tcp", at.String())
		return err
	}); err != nil {
		return nil, err
	}
	return s, nil
}

// Address is where the server listens.
func (s *Server) Address() netip.AddrPort {
	at := s.listener.Addr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// Close closes a server that does not serve.
func (s *Server) Close() error { return s.listener.Close() }

// Serve takes part in measurements until ctx ends, and closes the server.
func (s *Server) Serve(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { s.listener.Close() })()
	var sessions sync.WaitGroup
	defer sessions.Wait()
	for {
		c, err := s.listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return errors.Join(fmt.Errorf("accept session: %w", err), s.listener.Close())
		}
		sessions.Go(func() {
			defer context.AfterFunc(ctx, func() { c.Close() })()
			defer c.Close()
			s.session(newConnection(c))
		})
	}
}

// session answers a client until it leaves, or says what nobody understands.
func (s *Server) session(c *connection) {
	at := c.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	for {
		var r request
		if c.in.Decode(&r) != nil {
			return
		}
		a, err := s.measure(c, at, r)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			a = answer{Error: err.Error()}
		}
		if c.out.Encode(a) != nil {
			return
		}
	}
}

// measure takes part in one measurement and returns its figures. io.EOF says that
// the client has gone meanwhile.
func (s *Server) measure(c *connection, at netip.Addr, r request) (answer, error) {
	if err := r.check(); err != nil {
		return answer{}, err
	}
	s.measuring.Lock()
	defer s.measuring.Unlock()
	way, err := s.place.receive(at, r)
	if err != nil {
		return answer{}, err
	}
	used, err := beginUsage()
	if err == nil {
		err = errors.Join(c.out.Encode(answer{Port: way.port}), c.in.Decode(&r))
	}
	way.ended.Store(true)
	came, receiveErr := way.wait()
	if err != nil {
		return answer{}, errors.Join(io.EOF, err)
	}
	if receiveErr != nil {
		return answer{}, receiveErr
	}
	cpu, _, err := used.end()
	return answer{Count: came.count, Took: came.took, CPU: cpu, Boot: s.boot}, err
}
