package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"weft/internal/netns"
)

// Namespace is a network namespace of a lab: a host, or a workload on one.
type Namespace struct {
	lab  *Lab
	path string
}

// Path returns the file at which the namespace is mounted. Its base name is the one
// that ip netns knows.
func (n *Namespace) Path() string { return n.path }

// Do runs f in the namespace, as [netns.Do] has it.
func (n *Namespace) Do(f func() error) error { return netns.Do(n.path, f) }

// Run runs a command in the namespace to its end and returns its standard output.
// The error has the command and its standard error.
func (n *Namespace) Run(ctx context.Context, argv ...string) (string, error) {
	return netns.Output(ctx, n.path, argv...)
}

// Start starts cmd in the namespace. Output that cmd sends nowhere goes to a file
// in the lab's folder. The process has a process group of its own: a Ctrl-C at the
// terminal reaches only the lab's builder, who stops things in order.
func (n *Namespace) Start(cmd *exec.Cmd) (*Process, error) {
	return n.lab.start(n.path, cmd)
}

// Sysctl sets a variable of the namespace, "net.ipv4.ip_forward". A device whose
// name has a dot in it wants slashes: "net/ipv4/conf/eth0.7/forwarding".
func (n *Namespace) Sysctl(name, value string) error {
	if !strings.Contains(name, "/") {
		name = strings.ReplaceAll(name, ".", "/")
	}
	err := n.Do(func() error {
		return os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0)
	})
	if err != nil {
		return fmt.Errorf("set %s to %s: %w", name, value, err)
	}
	return nil
}

func (n *Namespace) sysctls(settings []string) error {
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		if err := n.Sysctl(name, value); err != nil {
			return err
		}
	}
	return nil
}

// Delete kills what runs in the namespace and removes it, as when a container
// ends. It may be called again.
func (n *Namespace) Delete() error {
	return errors.Join(killAll([]string{n.path}), netns.Delete(n.path))
}

// Host is a machine of a lab: a host or a router.
type Host struct {
	Namespace
	machine Machine
}

// Name returns the machine's name in the topology.
func (h *Host) Name() string { return h.machine.Name }

// Machine returns the machine as the topology has it.
func (h *Host) Machine() Machine { return h.machine }

// Dir returns the folder for what the machine's programs keep. It goes with the lab,
// and so do network namespaces that are mounted in it.
func (h *Host) Dir() string { return filepath.Join(h.lab.Dir(), h.machine.Name) }

// Workload makes a namespace that stands for a container on the host: empty, its
// loopback up. Delete removes it, or else the lab's Close.
func (h *Host) Workload(name string) (*Namespace, error) {
	if !labName.MatchString(name) {
		return nil, fmt.Errorf("make workload %q: want a name of 1 to 20 lower-case letters, digits and dashes", name)
	}
	w := &Namespace{lab: h.lab, path: netns.Named(namespaceName(h.lab.Name(), h.Name(), name))}
	if err := netns.Create(w.path); err != nil {
		return nil, fmt.Errorf("make workload: %w", err)
	}
	if err := w.Do(func() error { return up("lo") }); err != nil {
		return nil, fmt.Errorf("make workload %s: %w", name, err)
	}
	return w, nil
}
