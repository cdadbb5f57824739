package etcdstore

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"testing"
	"time"

	"weft/internal/testenv"
)

// cluster is an etcd in a process of its own: etcd's own main, on a loopback
// address of its own.
type cluster struct {
	*process
	program string // that is run instead; or empty
	t       *testing.T
	dir     string
	client  string // the URL
	peer    string
	tls     *testenv.Certificates
	trusted string // the file of the CA that clients' certificates must be of
	address netip.Addr
}

// startCluster starts an etcd, with TLS if there are certificates.
func startCluster(t *testing.T, tls func(netip.Addr) *testenv.Certificates) *cluster {
	t.Helper()
	return startProgram(t, "", tls)
}

// startProgram starts the etcd of a program, or this test binary's if that is empty.
func startProgram(t *testing.T, program string, tls func(netip.Addr) *testenv.Certificates) *cluster {
	t.Helper()
	c := &cluster{t: t, program: program, dir: t.TempDir(), address: loopback()}
	scheme := "http"
	if tls != nil {
		c.tls, scheme = tls(c.address), "https"
		c.trusted = c.tls.CA
	}
	c.client = fmt.Sprintf("%s://%s", scheme, freePort(t, c.address))
	c.peer = fmt.Sprintf("http://%s", freePort(t, c.address))
	c.start()
	return c
}

// start starts the etcd, also again after it was killed.
func (c *cluster) start() {
	c.t.Helper()
	args := []string{
		"--name=test", "--data-dir=" + c.dir, "--log-level=error",
		"--listen-client-urls=" + c.client, "--advertise-client-urls=" + c.client,
		"--listen-peer-urls=" + c.peer, "--initial-advertise-peer-urls=" + c.peer,
		"--initial-cluster=test=" + c.peer, "--heartbeat-interval=20", "--election-timeout=100",
	}
	if c.tls != nil {
		args = append(args, "--cert-file="+c.tls.Server.Cert, "--key-file="+c.tls.Server.Key,
			"--trusted-ca-file="+c.trusted, "--client-cert-auth")
	}
	if c.program != "" {
		c.process = run(c.t, exec.Command(c.program, args...))
		return
	}
	c.process = spawn(c.t, "etcd", args...)
}

// options reach the cluster.
func (c *cluster) options() DialOptions {
	o := DialOptions{Endpoints: []string{c.client}, Options: Options{Timeout: 2 * time.Second}}
	if c.tls != nil {
		o.CA, o.Cert, o.Key = c.tls.CA, c.tls.Client.Cert, c.tls.Client.Key
	}
	return o
}

// dial opens a store in the cluster, once that answers.
func (c *cluster) dial(o DialOptions) *Store {
	c.t.Helper()
	var s *Store
	testenv.Eventually(c.t, 20*time.Second, func() (err error) {
		s, err = Dial(c.t.Context(), o)
		return err
	}, "etcd answers")
	c.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			c.t.Error(err)
		}
	})
	return s
}

// loopback is some address of 127.0.0.0/8, so that tests that run at the same
// time do not take each other's ports.
func loopback() netip.Addr {
	n := rand.Uint32()
	return netip.AddrFrom4([4]byte{127, byte(1 + n%250), byte(n >> 8), byte(1 + n>>16%250)})
}

// freePort is a port of the address that nobody uses.
func freePort(t *testing.T, a netip.Addr) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", netip.AddrPortFrom(a, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// newCertificates makes certificates for whatever address a cluster gets.
func newCertificates(t *testing.T) func(netip.Addr) *testenv.Certificates {
	return func(a netip.Addr) *testenv.Certificates { return testenv.NewCertificates(t, a) }
}
