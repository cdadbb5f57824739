package e2e

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/lab"
	"weft/overlay"
)

// etcd is one that somebody else runs, on a host of its own, over TLS.
type etcd struct {
	*host
	dir     string
	url     string
	tls     *testenv.Certificates
	process *lab.Process
}

func (h *host) startEtcd() *etcd {
	h.s.t.Helper()
	address := h.Machine().NICs[0].Addresses[0].Addr()
	e := &etcd{host: h, dir: h.s.t.TempDir(), url: "https://" + address.String() + ":2379"}
	e.tls = testenv.NewCertificates(h.s.t, address)
	e.start()
	return e
}

// start starts it, also again after it was killed.
func (e *etcd) start() {
	e.s.t.Helper()
	cmd := exec.Command("/proc/self/exe",
		"--name=other", "--data-dir="+filepath.Join(e.dir, "data"), "--log-level=error",
		"--listen-client-urls="+e.url, "--advertise-client-urls="+e.url,
		"--cert-file="+e.tls.Server.Cert, "--key-file="+e.tls.Server.Key, "--trusted-ca-file="+e.tls.CA, "--client-cert-auth")
	cmd.Env = append(os.Environ(), roleVar+"=etcd")
	var err error
	if e.process, err = e.Start(cmd); err != nil {
		e.s.t.Fatal(err)
	}
}

// flags have a server use it, with a client's certificate.
func (e *etcd) flags(client testenv.KeyPair) []string {
	return []string{"--etcd-endpoints", e.url, "--etcd-ca", e.tls.CA, "--etcd-cert", client.Cert, "--etcd-key", client.Key}
}

// TestExistingEtcd: Weft keeps its resources in a cluster that is there already. When
// that goes, changes stop and traffic does not; when it is back, so are changes. And a
// second server can use the same one.
func TestExistingEtcd(t *testing.T) {
	t.Parallel()
	s := hosts(t)
	e := s.c.startEtcd()
	s.a.startServer(e.flags(e.tls.Client)...)
	s.b.startAgent(s.token())
	s.a.weft("network create blue --subnet 10.7.0.0/24")
	a, b := s.a.attach("blue"), s.b.attach("blue")
	s.pings(a.Namespace, b.address(overlay.V4).String())
	if _, err := os.Stat(filepath.Join(s.a.Dir(), "state", "etcd")); err == nil {
		t.Error("there is an embedded etcd too")
	}

	if err := e.process.Kill(); err != nil {
		t.Fatal(err)
	}
	s.a.try("network create red --subnet 10.8.0.0/24").refused(t, 6)
	s.pings(a.Namespace, b.address(overlay.V4).String())
	e.start()
	testenv.Eventually(t, patience, func() error {
		if did := s.a.try("network create red --subnet 10.8.0.0/24"); did.code != 0 {
			return errors.New(did.String())
		}
		return nil
	}, "changes are taken again")

	stranger := s.b.finish(s.weft.Command(s.b.Host, "weftd", append([]string{"server", "--log-level=error"}, e.flags(testenv.NewCertificates(t, netip.MustParseAddr("192.0.2.1")).Client)...)...))
	stranger.refused(t, 1, "weftd: etcd at "+e.url, "certificate?")
	second, err := s.b.Start(s.weft.Command(s.b.Host, "weftd", append([]string{"server"}, e.flags(e.tls.Client)...)...))
	if err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, patience, func() error {
		if out, err := second.Output(); err != nil || !strings.Contains(out, "server ready") {
			return errors.Join(err, errors.New(out))
		}
		return nil
	}, "the second server is ready")
	if out := s.b.weft("--credentials %s network ls", filepath.Join(s.b.Dir(), "state", "admin.json")); !strings.Contains(out, "red") {
		t.Errorf("the second server has %q", out)
	}
}
