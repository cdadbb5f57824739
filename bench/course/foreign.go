package course

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"weft/bench"
)

const nameOpenVSwitch = "Open vSwitch, VXLAN"

// vswitchSchema is where Debian and Ubuntu have the schema of its database.
const vswitchSchema = "/usr/share/openvswitch/vswitch.ovsschema"

// openVSwitch joins two workloads by Open vSwitch's userspace datapath, the one that
// needs no kernel module: one bridge has the underlay's device and address, which is how
// tunnel packets find their way, the other the workload and the tunnel.
func openVSwitch(ctx context.Context, g *ground, _ Options) (way, error) {
	if _, err := exec.LookPath("ovs-vswitchd"); err != nil {
		return way{}, fmt.Errorf("ovs-vswitchd: %w (package openvswitch-switch)", errMissing)
	}
	both, err := g.ends("ovs", "oa", "ob")
	if err != nil {
		return way{}, err
	}
	for i, e := range both {
		if err := e.script(ctx, fmt.Sprintf(`
			ip link add port0 type veth peer name eth0 netns %s
			ip link set port0 mtu 1450 up
			in ip link set eth0 mtu 1450 up
			in ip address add 10.81.0.%d/24 dev eth0
			in ethtool -K eth0 tx off
			sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1
			ip address flush dev eth0
			ip link set eth0 up arp off
			ethtool -K eth0 tx off
			`, e.name(), i+1)); err != nil {
			return way{}, err
		}
		if err := e.runOpenVSwitch(ctx,
			"add-br", "phy", "--", "set", "bridge", "phy", "datapath_type=netdev", "--", "add-port", "phy", "eth0", "--",
			"add-br", "int", "--", "set", "bridge", "int", "datapath_type=netdev", "--", "add-port", "int", "port0", "--",
			"add-port", "int", "tunnel", "--", "set", "interface", "tunnel", "type=vxlan", "options:key=81",
			"options:local_ip="+e.underlay().String(), "options:remote_ip="+both[1-i].underlay().String(),
		); err != nil {
			return way{}, err
		}
		if err := e.script(ctx, fmt.Sprintf(`
			ip address add %s/24 dev phy
			ip link set phy up
			ip link set int up
			`, e.underlay())); err != nil {
			return way{}, err
		}
	}
	return both.way(nameOpenVSwitch, bench.Foreign, netip.MustParseAddr("10.81.0.2")), nil
}

// runOpenVSwitch runs it on the host, with a database, sockets and logs of its own, until
// the lab is closed.
func (e end) runOpenVSwitch(ctx context.Context, configure ...string) error {
	dir := e.host.Dir()
	db, socket := filepath.Join(dir, "conf.db"), filepath.Join(dir, "db.sock")
	if _, err := e.host.Run(ctx, "ovsdb-tool", "create", db, vswitchSchema); err != nil {
		return err
	}
	start := func(argv ...string) error {
		cmd := exec.Command(argv[0], append(argv[1:], "--no-chdir", "-vconsole:off", "-vsyslog:off", "-vfile:warn",
			"--log-file="+filepath.Join(dir, argv[0]+".log"))...)
		cmd.Env = append(os.Environ(), "OVS_RUNDIR="+dir, "OVS_LOGDIR="+dir, "OVS_DBDIR="+dir)
		_, err := e.host.Start(cmd)
		return err
	}
	if err := start("ovsdb-server", db, "--remote=punix:"+socket, "--unixctl="+filepath.Join(dir, "db.ctl")); err != nil {
		return err
	}
	c, err := dialed(ctx, socket)
	if err != nil {
		return err
	}
	_ = c.Close() // it listens, nothing was said
	control := []string{"ovs-vsctl", "--db=unix:" + socket, "--timeout=20"}
	if _, err := e.host.Run(ctx, append(control, "--no-wait", "init")...); err != nil {
		return err
	}
	if err := start("ovs-vswitchd", "unix:"+socket, "--unixctl="+filepath.Join(dir, "switch.ctl")); err != nil {
		return err
	}
	_, err = e.host.Run(ctx, append(append(control, "--"), configure...)...)
	return err
}

// dialed connects to a control socket that a program is to listen on.
func dialed(ctx context.Context, path string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, opening)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		c, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if err == nil {
			return c, nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %s: %w", path, err)
		}
	}
}
