package articles

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"weft/internal/testenv"
	"weft/internal/testenv/vm"
)

// place is where hosts are: this machine, or a virtual one.
type place interface {
	// try runs a script there.
	try(script string) (output string, err error)
	// namespace makes a network namespace and returns its name. It goes when the test ends.
	namespace(t testing.TB) string
	// folder makes one that goes when the test ends, and has the file in it.
	folder(t testing.TB, name, text string) string
	// programs is the folder of Weft's.
	programs() string
	// shell is what scripts are for.
	shell() string
}

// here is this machine.
type here struct{}

func (here) try(script string) (string, error) {
	out, err := exec.Command("bash", "-ec", script).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("run %q: %w\n%s", script, err, out)
	}
	return string(out), err
}

func (here) namespace(t testing.TB) string { return filepath.Base(testenv.Namespace(t)) }

func (here) folder(t testing.TB, name, text string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weft-") // a short path: a socket is to be in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (here) programs() string { return bin }
func (here) shell() string    { return "/bin/bash" }

// machine is a virtual one, which loads the modules that a device needs when it is made.
type machine struct{ *vm.Machine }

// newMachine starts it. eth0, eth1, … lead to the namespaces.
func newMachine(t testing.TB, nics ...vm.NIC) machine {
	t.Helper()
	m := machine{vm.Start(t, vm.Linux612, vm.Options{
		Files: map[string]string{
			"/weft/weft": filepath.Join(bin, "weft"), "/weft/weftd": filepath.Join(bin, "weftd"),
			extensions: extensions,
		},
		Tools: []string{"iptables"}, NICs: nics,
	})}
	m.Run("hostname machine")
	return m
}

// extensions are iptables'.
const extensions = "/usr/lib/x86_64-linux-gnu/xtables"

func (m machine) try(script string) (string, error) { return m.Try(script) }

func (m machine) namespace(t testing.TB) string {
	t.Helper()
	name := testenv.Name(t, "test")
	m.Run("ip netns add " + name)
	t.Cleanup(func() { m.Run("ip netns delete " + name) })
	return name
}

func (m machine) folder(t testing.TB, name, text string) string {
	t.Helper()
	dir := "/" + testenv.Name(t, "run")
	m.Run(fmt.Sprintf("mkdir %s\ncat >%s/%s <<'end of file'\n%s\nend of file", dir, dir, name, text))
	return dir
}

func (machine) programs() string { return "/weft" }
func (machine) shell() string    { return "/bin/sh" } // busybox's own would have its own ip

// host is one of an article's: a namespace.
type host struct {
	testing.TB
	place
	ns string
	// dir has Weft's folders and file.
	dir string
	// down undoes apply.
	down func()
}

func newHost(t testing.TB, at place) *host {
	t.Helper()
	h := &host{TB: t, place: at, ns: at.namespace(t)}
	h.run("ip link set lo up; sysctl -qw net.ipv6.conf.default.accept_dad=0")
	return h
}

// means are what articles take for granted.
const means = `
sudo() { "$@"; }
modprobe() { command modprobe "$@" 2>/dev/null || :; } # built in, or there is none
brctl() { busybox brctl "$@"; }
`

// tries runs a script on the host.
func (h *host) tries(script string) (string, error) {
	return h.try(fmt.Sprintf("nsenter --net=/run/netns/%s %s -ec %s", h.ns, h.shell(), quote(script)))
}

// run is tries, but fails the test if the script does.
func (h *host) run(script string) string {
	h.Helper()
	out, err := h.tries(script)
	if err != nil {
		h.Fatal(err)
	}
	return out
}

// quote has a shell take s as one word.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// weft runs a weft command there.
func (h *host) weft(command string) string {
	h.Helper()
	return h.run(fmt.Sprintf("%s/weft %s --run-dir %s/run --state-dir %s/state", h.programs(), command, h.dir, h.dir))
}

// apply has Weft make the host what a file of examples/local says, until the test ends.
func (h *host) apply(name string, renamed ...string) {
	h.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "local", name+".yaml"))
	if err != nil {
		h.Fatal(err)
	}
	h.declare(strings.NewReplacer(renamed...).Replace(string(text)))
}

// declare is apply for a file of the test's own.
func (h *host) declare(text string) {
	h.Helper()
	h.dir = h.folder(h, "host.yaml", text)
	h.down = sync.OnceFunc(func() { h.weft("down") })
	h.Cleanup(h.down)
	h.weft("apply --local " + h.dir + "/host.yaml")
}
