package interop

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// tunnelTypes are Open vSwitch's names of encapsulations (ovs-vswitchd.conf.db(5)).
var tunnelTypes = map[overlay.Encapsulation]string{
	overlay.EncapVXLAN: "vxlan", overlay.EncapGeneve: "geneve", overlay.EncapGRE: "gre",
}

// openVSwitch joins a bridged network with Open vSwitch. Its userspace datapath needs no
// module of the kernel's: one bridge has the underlay's device and the VTEP's address, which
// is how packets find their way, the other the workload and the tunnel.
func openVSwitch(p *pair, h *host) {
	p.Helper()
	n := p.network(h)
	p.station(h)
	h.runOpenVSwitch(
		"add-br", "phy", "--", "set", "bridge", "phy", "datapath_type=netdev", "--", "add-port", "phy", "eth0", "--",
		"add-br", "int", "--", "set", "bridge", "int", "datapath_type=netdev", "--", "add-port", "int", "port0", "--",
		"add-port", "int", "tunnel", "--", "set", "interface", "tunnel", "type="+tunnelTypes[n.Encapsulation],
		fmt.Sprintf("options:key=%d", n.VNI), "options:local_ip="+n.Local.String(),
		"options:remote_ip="+n.Members[p.hosts[0].name].VTEP.String(),
	)
	h.connectOpenVSwitch()
	// Nobody fills in checksums behind this one either.
	testenv.Run(p, h.workload, "ethtool", "-K", "eth0", "tx", "off")
}

// connectOpenVSwitch has it answer for the host's underlay addresses, and the kernel not.
func (h *host) connectOpenVSwitch() {
	h.Helper()
	h.run("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
	h.run("ip", "link", "set", "eth0", "up", "arp", "off")
	h.connect("phy")
	h.run("ip", "link", "set", "int", "up")
}

// runOpenVSwitch runs it on a host, with a database, sockets and logs of its own in a folder,
// until the test ends.
func (h *host) runOpenVSwitch(configure ...string) (dir string) {
	h.Helper()
	dir = h.TempDir()
	db, socket := filepath.Join(dir, "conf.db"), filepath.Join(dir, "db.sock")
	testenv.Run(h, "", "ovsdb-tool", "create", db, "/usr/share/openvswitch/vswitch.ovsschema")
	h.start(dir, "ovsdb-server", db, "--remote=punix:"+socket, "--unixctl="+filepath.Join(dir, "db.ctl"))
	testenv.Eventually(h, 10*time.Second, func() error {
		_, err := os.Stat(socket)
		return err
	}, "the database's socket is there")
	control := []string{"ovs-vsctl", "--db=unix:" + socket, "--timeout=20"}
	testenv.Run(h, "", append(control, "--no-wait", "init")...)
	h.start(dir, "ovs-vswitchd", "unix:"+socket, "--unixctl="+filepath.Join(dir, "switch.ctl"))
	testenv.Run(h, "", append(append(control, "--"), configure...)...)
	return dir
}

// start runs a program of Open vSwitch's, and ends it with the test.
func (h *host) start(dir string, argv ...string) {
	h.Helper()
	cmd := exec.Command(argv[0], append(argv[1:], "--no-chdir", "-vconsole:off", "-vsyslog:off", "-vfile:warn", "--log-file="+filepath.Join(dir, argv[0]+".log"))...)
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+dir, "OVS_LOGDIR="+dir, "OVS_DBDIR="+dir)
	if err := netns.Start(h.ns, cmd); err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			h.Error(err)
		}
		var ended *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
			h.Errorf("%s was not there to be ended: %v", argv[0], err)
		}
		if h.Failed() {
			log, err := os.ReadFile(filepath.Join(dir, argv[0]+".log"))
			h.Logf("%s: %s %v", argv[0], log, err)
		}
	})
}
