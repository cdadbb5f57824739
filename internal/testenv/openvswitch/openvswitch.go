// Package openvswitch runs Open vSwitch on hosts of tests, with its own datapath, which needs no
// module of the kernel's: a peer of whom none is Weft's code or Linux's.
//
// A host is a namespace whose way to others is eth0. One bridge (phy) has that and the host's
// addresses, which is how tunnel packets find their way, the other (int) whatever a test gives it.
package openvswitch

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"weft/internal/netns"
	"weft/internal/testenv"
)

// Switch is a running one.
type Switch struct {
	// Dir has its database, sockets and logs.
	Dir string
	ns  string
}

// Start runs it in a namespace until the test ends, with both bridges.
func Start(t testing.TB, ns string) *Switch {
	t.Helper()
	testenv.Need(t, "ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl")
	s := &Switch{Dir: t.TempDir(), ns: ns}
	db := filepath.Join(s.Dir, "conf.db")
	testenv.Run(t, "", "ovsdb-tool", "create", db, "/usr/share/openvswitch/vswitch.ovsschema")
	s.start(t, "ovsdb-server", db, "--remote=punix:"+s.socket(), "--unixctl="+filepath.Join(s.Dir, "db.ctl"))
	testenv.Eventually(t, 10*time.Second, func() error {
		_, err := os.Stat(s.socket())
		return err
	}, "the database's socket is there")
	testenv.Run(t, "", "ovs-vsctl", "--db=unix:"+s.socket(), "--timeout=20", "--no-wait", "init")
	s.start(t, "ovs-vswitchd", "unix:"+s.socket(), "--unixctl="+s.Control())
	s.Configure(t, "add-br", "phy", "--", "set", "bridge", "phy", "datapath_type=netdev", "--", "add-port", "phy", "eth0", "--",
		"add-br", "int", "--", "set", "bridge", "int", "datapath_type=netdev")
	return s
}

func (s *Switch) socket() string { return filepath.Join(s.Dir, "db.sock") }

// Control is the socket that ovs-appctl talks to.
func (s *Switch) Control() string { return filepath.Join(s.Dir, "switch.ctl") }

// Configure runs commands of ovs-vsctl(8).
func (s *Switch) Configure(t testing.TB, commands ...string) {
	t.Helper()
	testenv.Run(t, "", append([]string{"ovs-vsctl", "--db=unix:" + s.socket(), "--timeout=20", "--"}, commands...)...)
}

// Connect has it answer for the host's addresses, and the kernel not.
func (s *Switch) Connect(t testing.TB, addresses ...netip.Prefix) {
	t.Helper()
	run := func(argv ...string) { testenv.Run(t, s.ns, argv...) }
	run("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
	run("ip", "link", "set", "eth0", "up", "arp", "off")
	for _, a := range addresses {
		argv := []string{"ip", "address", "add", a.String(), "dev", "phy"}
		if a.Addr().Is6() {
			argv = append(argv, "nodad")
		}
		run(argv...)
	}
	run("ip", "link", "set", "phy", "up")
	run("ip", "link", "set", "int", "up")
}

// start runs one of its programs, and ends it with the test.
func (s *Switch) start(t testing.TB, argv ...string) {
	t.Helper()
	log := filepath.Join(s.Dir, argv[0]+".log")
	cmd := exec.Command(argv[0], append(argv[1:], "--no-chdir", "-vconsole:off", "-vsyslog:off", "-vfile:warn", "--log-file="+log)...)
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+s.Dir, "OVS_LOGDIR="+s.Dir, "OVS_DBDIR="+s.Dir)
	if err := netns.Start(s.ns, cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		var ended *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
			t.Errorf("%s was not there to be ended: %v", argv[0], err)
		}
		if t.Failed() {
			text, err := os.ReadFile(log)
			t.Logf("%s: %s %v", argv[0], text, err)
		}
	})
}
