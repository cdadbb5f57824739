// Package vm boots stock kernels of Debian's, with every module of networking, in
// virtual machines: to run tests there, and as peers that know nothing of Weft on the
// wires of namespaces.
//
// A test that needs devices which the kernel below may lack runs in one with [Each]:
//
//	func TestDevices(t *testing.T) {
//		t.Parallel()
//		vm.Each(t, vm.Kernels, vm.Options{}, func(t *testing.T) {
//			ns := testenv.Namespace(t)
//			testenv.Run(t, ns, "ip", "link", "add", "t0", "type", "ipip", "local", "192.0.2.1", "remote", "192.0.2.2")
//		})
//	}
//
// A test of what is on a wire has a machine as the other end of a namespace's eth0:
//
//	m := vm.Start(t, vm.Linux612, vm.Options{NICs: []vm.NIC{{Namespace: ns, Device: "eth0"}}})
//	m.Run("ip address add 192.0.2.2/24 dev eth0; ip link set eth0 up")
//
// Modules are loaded as they are asked for, so a device needs no more than "ip link add".
//
// test/kernels fetches the kernels. A machine needs no disk and no network: its files are
// an archive in memory (initramfs.go) with the kernel's modules, the tools of this
// host, and what the test adds; its only program is init.sh, which does the jobs that
// come in on a serial port. qemu translates its code (TCG), since there need be no KVM: it
// boots in two seconds and computes ten to twenty times slower than the host.
//
// A machine is its test's: it goes when that ends, or this process, however it ends. No
// more run at a time than there are CPUs (slots.go), whatever processes they are of. So a
// test has one machine at a time: two that each have one and wait for another wait for each
// other. More hosts are namespaces in it.
package vm

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weft/internal/testenv"
)

// Kernel is one of those that test/kernels fetches, by the version that they are of.
type Kernel string

// There are the kernels of Debian 12: the one that it came with, and a newer one.
const (
	Linux61  Kernel = "6.1"
	Linux612 Kernel = "6.12"
)

// Kernels are all of them.
var Kernels = []Kernel{Linux61, Linux612}

// Options are what a machine has besides the kernel and the tools. All may be empty.
type Options struct {
	// Files are copied into it: a file or a folder of the host's, by its path there.
	Files map[string]string
	// Tools are commands of the host's ("nft"), which it has with the libraries they load.
	Tools []string
	// NICs are its network devices: eth0, eth1, …
	NICs []NIC

	// libraries names programs of the host's whose libraries it has at their places.
	libraries []string
}

// Machine is a running virtual machine. Its methods may be called concurrently; one
// script runs at a time.
type Machine struct {
	t      testing.TB
	kernel Kernel
	// dir has what the machine and qemu have said, in the files console and qemu.
	dir string

	mu     sync.Mutex
	jobs   *os.File // they go there
	output *os.File // and what they write comes from there, read through lines
	lines  *bufio.Reader
}

// patience is how long a script may take, the boot before it included.
const patience = 6 * time.Minute

// Start boots a machine and returns; scripts wait until it is up. Machines go in the
// order in which they ask, as slots become free.
func Start(t testing.TB, k Kernel, o Options) *Machine {
	t.Helper()
	need(t, k, o.Tools)
	takeSlot(t)
	m := &Machine{t: t, kernel: k, dir: t.TempDir()}
	archive := filepath.Join(m.dir, "initramfs")
	if err := writeInitramfs(archive, k, o); err != nil {
		t.Fatalf("write the files of a virtual machine: %v", err)
	}
	m.boot(archive, o.NICs)
	return m
}

// Run runs a script with the machine's shell and tools, stops it at its first error,
// and returns what it wrote. It fails the test if the script does.
func (m *Machine) Run(script string) string {
	m.t.Helper()
	out, err := m.Try(script)
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

// Try is Run, but returns the error: an [ExitError] if the script has failed.
func (m *Machine) Try(script string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	token := testenv.Name(m.t, "job")
	line := token + " " + base64.StdEncoding.EncodeToString([]byte(script)) + "\n"
	deadline := time.Now().Add(patience)
	if err := errors.Join(m.jobs.SetDeadline(deadline), m.output.SetDeadline(deadline)); err != nil {
		return "", err
	}
	if _, err := m.jobs.WriteString(line); err != nil {
		return "", m.broken(script, "", err)
	}
	var out strings.Builder
	for {
		line, err := m.lines.ReadString('\n')
		if err != nil {
			return out.String(), m.broken(script, out.String()+line, err)
		}
		if code, ours := strings.CutPrefix(line, token+" "); ours {
			// init.sh begins a line for it.
			return strings.TrimSuffix(out.String(), "\n"), exit(script, strings.TrimSpace(code), out.String())
		}
		out.WriteString(line)
	}
}

// ExitError says that a script in a machine has failed.
type ExitError struct {
	Script string
	// Code is what it ended with, and Output what it wrote.
	Code, Output string
}

func (e *ExitError) Error() string {
	return fmt.Sprintf("run %q in a virtual machine: exit status %s\n%s", e.Script, e.Code, strings.TrimSpace(e.Output))
}

func exit(script, code, output string) error {
	if code == "0" {
		return nil
	}
	return &ExitError{script, code, output}
}

// broken is the error of a machine that does not answer, with what it said last.
func (m *Machine) broken(script, output string, err error) error {
	return fmt.Errorf("run %q on Linux %s in a virtual machine: %w\n%s\nits console:\n%s\nqemu:\n%s",
		script, m.kernel, err, output, tail(filepath.Join(m.dir, console)), tail(filepath.Join(m.dir, qemuLog)))
}

// tail is the end of a file.
func tail(path string) string {
	const most = 4000
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}
