package rotation

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"weft/api/identity"
	"weft/internal/testenv"
	"weft/lab"
)

// world is a lab with Weft running on all its hosts.
type world struct {
	*lab.Lab
	t    *testing.T
	weft *lab.Weft
	// server is where the test reaches host a's server.
	server string
}

// workload is a namespace that is attached to a network.
type workload struct {
	*lab.Namespace
	name      string
	addresses []netip.Addr
}

// begin builds the programs and the lab, starts Weft on its hosts, and makes the network blue.
func begin(t *testing.T) *world {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, "ip", "ping")
	bin := t.TempDir()
	if err := testenv.BuildPrograms(bin); err != nil {
		t.Fatal(err)
	}
	l, err := lab.Build(t.Context(), lab.Demo(testenv.Name(t, "rotate")))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Lab: l, t: t, weft: l.Weft(bin)}
	t.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	w.start()
	w.run("a", "network create blue --subnet 10.7.0.0/24 --subnet6 fd00:7::/64")
	return w
}

// start starts Weft on the hosts; when the test fails, their daemons' words are shown.
func (w *world) start() {
	w.t.Helper()
	w.weft.Env = append(w.weft.Env, "WEFT_CERTIFICATE_LIFETIME="+lifetime.String())
	for i, h := range w.Hosts() {
		var daemon *lab.Process
		var err error
		if i == 0 {
			daemon, err = w.weft.StartServer(w.t.Context(), h)
		} else {
			daemon, err = w.weft.StartAgent(w.t.Context(), h, w.run("a", "token create"))
		}
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() {
			if w.t.Failed() {
				text, err := daemon.Output()
				w.t.Logf("weftd on host %s says (%v):\n%s", h.Name(), err, text)
			}
		})
	}
	w.server = w.forward(w.Host("a"), "127.0.0.1:7411")
}

// run runs a weft command on a host, no word of which has a blank in it, and returns
// what it prints.
func (w *world) run(host, command string) string {
	w.t.Helper()
	out, err := w.weft.Run(w.t.Context(), w.Host(host), strings.Fields(command)...)
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// read runs a weft command, and takes in the JSON that it prints.
func (w *world) read(into any, host, command string) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(w.run(host, command+" -o json")), into); err != nil {
		w.t.Fatalf("weft %s: %v", command, err)
	}
}

// attach makes a workload on a host and attaches it.
func (w *world) attach(network, name, host string) *workload {
	w.t.Helper()
	ns, err := w.Host(host).Workload(name)
	if err != nil {
		w.t.Fatal(err)
	}
	var made struct {
		Endpoint struct {
			Spec struct{ Addresses []netip.Addr }
		}
	}
	w.read(&made, host, "endpoint attach "+network+" --netns "+filepath.Base(ns.Path())+" --name "+name)
	return &workload{ns, name, made.Endpoint.Spec.Addresses}
}

func (w *world) attachEverywhere(network string) []*workload {
	w.t.Helper()
	var all []*workload
	for _, h := range w.Hosts() {
		all = append(all, w.attach(network, network+"-"+h.Name(), h.Name()))
	}
	return all
}

// reaches waits until the workload reaches the others.
func (w *world) reaches(from *workload, others []*workload) {
	w.t.Helper()
	for _, to := range others {
		for _, address := range to.addresses {
			testenv.Eventually(w.t, patience, func() error {
				_, err := from.Run(w.t.Context(), "ping", "-n", "-c1", "-W1", address.String())
				return err
			}, from.name+" reaches "+to.name)
		}
	}
}

// connections says, for each host, since when its agent has been connected to the server.
func (w *world) connections() map[string]time.Time {
	w.t.Helper()
	since := map[string]time.Time{}
	for _, h := range w.Hosts() {
		var nodes []struct {
			Server struct {
				Connected bool
				Since     time.Time
			}
		}
		w.read(&nodes, h.Name(), "status --local")
		if len(nodes) != 1 || !nodes[0].Server.Connected {
			w.t.Fatalf("host %s: want to be connected: %+v", h.Name(), nodes)
		}
		since[h.Name()] = nodes[0].Server.Since
	}
	return since
}

// nodeCertificate is what the host's agent shows at present.
func (w *world) nodeCertificate(h *lab.Host) string {
	w.t.Helper()
	c, err := identity.LoadCredentials(filepath.Join(h.Dir(), "state", "node.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	return c.Certificate
}

// serverCertificate is what the server shows at present.
func (w *world) serverCertificate() string {
	w.t.Helper()
	// Nothing is said to it: it is only looked at.
	conn, err := tls.Dial("tcp", w.server, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	return string(conn.ConnectionState().PeerCertificates[0].Raw)
}

// forward listens in the test's own namespace and passes connections on to an
// address in a host's. It returns where it listens.
func (w *world) forward(h *lab.Host, to string) string {
	w.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	var passing errgroup.Group
	passing.Go(func() error {
		for {
			near, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			if err != nil {
				return err
			}
			passing.Go(func() error { return pass(h, near, to) })
		}
	})
	w.t.Cleanup(func() {
		if err := errors.Join(listener.Close(), passing.Wait()); err != nil {
			w.t.Error(err)
		}
	})
	return listener.Addr().String()
}

// pass connects to an address in the host's namespace and passes on what comes from
// either end, until one of them closes.
func pass(h *lab.Host, near net.Conn, to string) error {
	defer near.Close()
	var far net.Conn
	err := h.Do(func() (err error) {
		far, err = net.DialTimeout("tcp", to, patience)
		return err
	})
	if err != nil {
		return err
	}
	defer far.Close()
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		go func() {
			// However it ends, both ends are closed: they see what there is to see.
			_, _ = io.Copy(way[0], way[1])
			ended <- struct{}{}
		}()
	}
	<-ended
	near.Close()
	far.Close()
	<-ended
	return nil
}
