package stock

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/internal/testenv/vm"
)

// peer is a host that knows nothing of Weft; eth0 is its way to Weft's.
type peer interface {
	// Run runs a script there, and returns what it wrote.
	Run(script string) string
}

// namespacePeer is one beside Weft's host.
type namespacePeer struct {
	testing.TB
	ns string
}

func (p namespacePeer) Run(script string) string {
	p.Helper()
	return testenv.Output(p, p.ns, "sh", "-ec", script)
}

// volume is how much goes over TCP, in bytes, and data is what.
const volume = 512 << 10

var data = func() []byte {
	b := make([]byte, volume)
	rand.NewChaCha8([32]byte{7}).Read(b)
	return b
}()

// A peer serves these ports: what is sent to the one is answered with its sum, and the other
// sends data.
const (
	sinkPort   = 5001
	sourcePort = 5002
)

// servers are the commands that do so, where data is in the file $data.
var servers = []string{"exec nc -ll -p 5001 -e sha256sum", "exec nc -ll -p 5002 -e cat $data"}

// newMachinePeer makes a peer that is a machine, at the other end of eth0 of a namespace.
func newMachinePeer(t testing.TB, ns string) peer {
	t.Helper()
	m := vm.Start(t, vm.Linux612, vm.Options{
		Files: map[string]string{"/data": dataFile(t)}, NICs: []vm.NIC{{Namespace: ns, Device: "eth0"}},
	})
	for _, s := range servers {
		m.Run("data=/data; (" + s + ") >/dev/null 2>&1 &")
	}
	return m
}

// dataFile has the data.
func dataFile(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// newNamespacePeer makes a peer that is a namespace, likewise.
func newNamespacePeer(t testing.TB, ns string) peer {
	t.Helper()
	file := dataFile(t)
	p := namespacePeer{t, testenv.Namespace(t)}
	testenv.Run(t, ns, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", filepath.Base(p.ns))
	for _, end := range []string{ns, p.ns} {
		testenv.Run(t, end, "ethtool", "-K", "eth0", "tx", "off")
	}
	for _, s := range servers {
		cmd := exec.Command("sh", "-c", s)
		cmd.Env = append(os.Environ(), "data="+file)
		if err := netns.Start(p.ns, cmd); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			check(t, cmd.Process.Kill())
			if state, err := cmd.Process.Wait(); err != nil || state.Exited() {
				t.Errorf("%s has ended: %v, %v", s, state, err)
			}
		})
	}
	return p
}
