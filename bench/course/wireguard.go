package course

import (
	"bufio"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"weft/bench"
)

const nameWireGuard = "wireguard-go (encrypts)"

// wireGuard joins two workloads by wireguard-go: routes into a device that a process in
// user space carries, encrypted.
func wireGuard(ctx context.Context, g *ground, o Options) (way, error) {
	program := filepath.Join(o.Bin, "wireguard-go")
	if _, err := os.Stat(program); err != nil {
		return way{}, fmt.Errorf("%s: %w (make bench builds it)", program, errMissing)
	}
	both, err := g.ends("guard", "a", "b")
	if err != nil {
		return way{}, err
	}
	var keys [2]*ecdh.PrivateKey
	for i := range keys {
		if keys[i], err = ecdh.X25519().GenerateKey(rand.Reader); err != nil {
			return way{}, err
		}
	}
	for i, e := range both {
		if err := e.routedPort(ctx, 80, i, 1440); err != nil {
			return way{}, err
		}
		device := wireGuardDevice(o.Lab, i)
		cmd := exec.Command(program, "--foreground", device)
		cmd.Env = append(os.Environ(), "LOG_LEVEL=error")
		if _, err := e.host.Start(cmd); err != nil {
			return way{}, err
		}
		if err := configureWireGuard(ctx, device, fmt.Sprintf("private_key=%x\nlisten_port=51820\nreplace_peers=true\npublic_key=%x\nendpoint=%s:51820\nallowed_ip=10.80.%d.0/24\n",
			keys[i].Bytes(), keys[1-i].PublicKey().Bytes(), both[1-i].underlay(), 1-i)); err != nil {
			return way{}, err
		}
		if err := e.script(ctx, fmt.Sprintf(`
			ip link set %[1]s mtu 1440 up
			ip route add 10.80.%[2]d.0/24 dev %[1]s
			`, device, 1-i)); err != nil {
			return way{}, err
		}
	}
	return both.way(nameWireGuard, bench.Foreign, netip.MustParseAddr("10.80.1.2")), nil
}

// wireGuardDevice names the device of a host. Its name is also that of the control
// socket, of which there is one folder for all namespaces.
func wireGuardDevice(lab string, i int) string {
	return fmt.Sprintf("wg%.11s%d", strings.ReplaceAll(lab, "-", ""), i)
}

// configureWireGuard sets a device by the protocol of its control socket
// (www.wireguard.com/xplatform/#configuration-protocol).
func configureWireGuard(ctx context.Context, device, settings string) error {
	c, err := dialed(ctx, filepath.Join("/var/run/wireguard", device+".sock"))
	if err != nil {
		return fmt.Errorf("configure %s: %w", device, err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "set=1\n"+settings+"\n"); err != nil {
		return fmt.Errorf("configure %s: %w", device, err)
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && answer != "errno=0\n" {
		err = fmt.Errorf("it answers %q", strings.TrimSpace(answer))
	}
	if err != nil {
		return fmt.Errorf("configure %s: %w", device, err)
	}
	return nil
}
