package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"weft/api/identity"
	"weft/overlay"
	"weft/store"
)

// DefaultPort is the servers' TCP port.
const DefaultPort = 7411

// Options say what a server is made of.
type Options struct {
	// Store keeps the resources. Required.
	Store store.Store
	// Ledger is the store's, if it keeps its standing, and Seal where this server
	// keeps how it knows the store; both or neither [what the store lacks is not there].
	Ledger store.Ledger
	Seal   Seal
	// CA is the cluster's. Required.
	CA *identity.CA
	// Names are the addresses and DNS names by which others reach this server;
	// they go into its certificate.
	Names []string
	// Addresses, "host:port", go into the tokens that this server makes, so
	// that whoever has one knows where to go.
	Addresses []string
	// Version is the program's, for /v1/status.
	Version string
	// Logger [none].
	Logger *slog.Logger
	// Now is the clock by which tokens expire [time.Now]. Certificates
	// follow the CA's.
	Now func() time.Time
	// KeepAlive is the pause after which a silent watch says that it is there [10 s].
	KeepAlive time.Duration
	// Random makes MACs [crypto/rand.Reader].
	Random io.Reader
}

// Server serves a store's resources. It is an http.Handler, which needs Run to
// be running beside it; Serve does both over TLS.
type Server struct {
	Options
	log      *slog.Logger
	mux      *http.ServeMux
	index    *index
	sessions *sessions
	started  time.Time
	// patience is how long a request waits for the index to catch up.
	patience time.Duration
	// readyPatience is how long a request waits for the index to be there.
	readyPatience time.Duration
	// write makes the changes that requests ask for.
	write func(context.Context, identity.Identity, request) (overlay.Resource, overlay.Revision, error)
	// blocks is held while a block is made, so that two endpoints that come
	// first to a node get one block between them.
	blocks sync.Mutex
	// standing is the store's as this server goes by; nil before the first look,
	// after which looked is closed. The lock orders those who replace it.
	standing     atomic.Pointer[store.Standing]
	standingLock sync.Mutex
	looked       chan struct{}
	// stopping is closed when watches are to end.
	stopping chan struct{}
}

// NewServer returns a server; it does nothing before Run.
func NewServer(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	o.KeepAlive = cmp.Or(o.KeepAlive, 10*time.Second)
	s := &Server{
		Options: o, log: o.Logger, mux: http.NewServeMux(), sessions: newSessions(), started: o.Now(),
		patience: indexLag, readyPatience: storePatience, looked: make(chan struct{}), stopping: make(chan struct{}),
	}
	s.index = newIndex(s.cut)
	s.write = s.change
	for _, r := range routes() {
		s.mux.Handle(r.method+" "+r.path, s.handle(r))
	}
	s.mux.Handle("/", s.handle(route{serve: (*Server).unknown}))
	return s
}

// Run keeps the server's view of its store, and of the store's standing, up to
// date, and removes what has ended in the store, until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.stand(ctx) })
	group.Go(func() error { s.sweep(ctx); return nil })
	group.Go(func() error { s.index.run(ctx, s.Store, s.log); return nil })
	return group.Wait()
}

const (
	// storePatience is how long a request waits for the store at a start.
	storePatience = 10 * time.Second
	// headerPatience is how long a client may take to ask.
	headerPatience = 10 * time.Second
	// deadAfter is how long a connection may take no data, and not answer pings.
	deadAfter = 30 * time.Second
	// shutdownPatience is how long requests may take to end at the end.
	shutdownPatience = 3 * time.Second
)

// Serve runs the server on a listener, over TLS alone, until ctx ends. Its
// certificate is renewed on the way. It closes the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer l.Close()
	cert, err := s.CA.ServerCertificate(s.Names)
	if err != nil {
		return err
	}
	holder := identity.NewHolder(cert)
	group, ctx := errgroup.WithContext(ctx)
	server := &http.Server{
		Handler:           s,
		TLSConfig:         identity.ServerConfig(holder),
		ReadHeaderTimeout: headerPatience,
		IdleTimeout:       2 * time.Minute,
		HTTP2:             &http.HTTP2Config{SendPingTimeout: deadAfter / 2, PingTimeout: deadAfter / 2, WriteByteTimeout: deadAfter},
		// Refused handshakes and plain HTTP end here, each on a line.
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	// Shutdown waits for requests, and watches would not end by themselves.
	server.RegisterOnShutdown(sync.OnceFunc(func() { close(s.stopping) }))
	group.Go(func() error { return s.Run(ctx) })
	group.Go(func() error {
		return identity.Rotate(ctx, holder, s.log, func(context.Context) (*tls.Certificate, error) {
			return s.CA.ServerCertificate(s.Names)
		})
	})
	group.Go(func() error {
		if err := server.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownPatience)
		defer cancel()
		if server.Shutdown(soon) != nil {
			return server.Close()
		}
		return nil
	})
	return group.Wait()
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// handle answers one route's requests: whoever may use it gets the answer, and
// everybody else a refusal.
func (s *Server) handle(to route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := s.admitted(r, to)
		if err == nil {
			err = to.knows(r)
		}
		if err == nil {
			err = to.serve(s, w, r, id)
		}
		if err != nil {
			s.refuse(w, r, id, err)
		}
	})
}

// refuse logs a refusal once, and answers with it.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, id identity.Identity, err error) {
	e := ErrorOf(err)
	level := slog.LevelInfo
	switch e.Code {
	case CodeForbidden, CodeUnavailable:
		level = slog.LevelWarn
	case CodeInternal:
		level = slog.LevelError
	case CodeRevoked:
		level = s.revokedLevel(id)
	}
	s.log.Log(r.Context(), level, "refused", "request", r.Method+" "+r.URL.Path, "from", r.RemoteAddr, "who", id.String(), "code", e.Code, "error", e)
	if err := WriteError(w, e); err != nil {
		s.log.Debug("answer", "from", r.RemoteAddr, "error", err)
	}
}

func (s *Server) unknown(_ http.ResponseWriter, r *http.Request, _ identity.Identity) error {
	return &Error{Code: CodeNotFound, Message: r.Method + " " + r.URL.Path + ": there is no such thing here", Hint: "see /v1/openapi.json"}
}

// ready waits until the server knows what is in its store, as that stands.
func (s *Server) ready(ctx context.Context) error {
	indexed, _ := s.index.state()
	if err := s.closed(ctx, indexed, s.looked); err != nil {
		return err
	}
	now := s.standing.Load()
	if now == nil || s.index.wait(ctx, s.readyPatience, func() bool { return s.index.revision.Incarnation == now.Revision.Incarnation }) {
		return nil
	}
	return errNotReady
}

// closed waits until all are closed.
func (s *Server) closed(ctx context.Context, all ...<-chan struct{}) error {
	late := time.NewTimer(s.readyPatience)
	defer late.Stop()
	for _, ready := range all {
		select {
		case <-ready:
			continue
		default:
		}
		select {
		case <-ready:
			continue
		case <-late.C:
		case <-ctx.Done():
		}
		return errNotReady
	}
	return nil
}

var errNotReady = &Error{Code: CodeUnavailable, Message: "the server has not reached its store yet", Hint: "try again"}
