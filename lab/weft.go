package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"weft/internal/netns"
)

// Weft runs Weft's programs on the hosts of a lab: each host has state and run
// folders of its own, which is all that several daemons on one machine need.
type Weft struct {
	lab *Lab
	bin string
	// Credentials is the file that the commands use. StartServer sets it to
	// the administrator's.
	Credentials string
	// Env is added to the programs' environment.
	Env []string
}

// Weft returns the programs weft and weftd in the folder bin, for this lab.
func (l *Lab) Weft(bin string) *Weft { return &Weft{lab: l, bin: bin} }

// Environment is what the programs on a host are told by: the folders, the
// node's name and its underlay addresses.
func (w *Weft) Environment(h *Host) []string {
	var underlay []string
	for _, nic := range h.Machine().NICs {
		for _, a := range nic.Addresses {
			underlay = append(underlay, a.Addr().String())
		}
	}
	return append([]string{
		"WEFT_STATE_DIR=" + filepath.Join(h.Dir(), "state"),
		"WEFT_RUN_DIR=" + w.runDir(h),
		"WEFT_NODE=" + h.Name(),
		"WEFT_UNDERLAY=" + strings.Join(underlay, ","),
		"WEFT_CREDENTIALS=" + w.Credentials,
	}, w.Env...)
}

func (w *Weft) runDir(h *Host) string { return filepath.Join(h.Dir(), "run") }

// Program is the path of weft or weftd.
func (w *Weft) Program(name string) string { return filepath.Join(w.bin, name) }

// Command is weft or weftd with the arguments and the host's environment, for
// [Namespace.Start] or a caller that wants to know more than [Weft.Run] tells.
func (w *Weft) Command(h *Host, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(w.Program(name), args...)
	cmd.Env = append(os.Environ(), w.Environment(h)...)
	return cmd
}

// StartServer starts the server and the agent of the lab's first host.
func (w *Weft) StartServer(ctx context.Context, h *Host, args ...string) (*Process, error) {
	w.Credentials = filepath.Join(h.Dir(), "state", "admin.json")
	return w.start(ctx, h, args)
}

// StartAgent starts an agent. It needs a token the first time on a host.
func (w *Weft) StartAgent(ctx context.Context, h *Host, token string, args ...string) (*Process, error) {
	args = append([]string{"agent"}, args...)
	if token != "" {
		args = append(args, "--join", token)
	}
	return w.start(ctx, h, args)
}

// start starts weftd and returns when its agent answers.
func (w *Weft) start(ctx context.Context, h *Host, args []string) (*Process, error) {
	p, err := h.Start(w.Command(h, "weftd", args...))
	if err != nil {
		return nil, err
	}
	if err := w.await(ctx, h, p); err != nil {
		output, readErr := p.Output()
		return nil, errors.Join(fmt.Errorf("weftd on host %s: %w\n%s", h.Name(), err, output), readErr, p.Kill())
	}
	return p, nil
}

// await waits until the agent's socket takes connections.
func (w *Weft) await(ctx context.Context, h *Host, p *Process) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		conn, err := net.Dial("unix", filepath.Join(w.runDir(h), "agent.sock"))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ticker.C:
		case <-p.Ended():
			return fmt.Errorf("it ended: %w", p.Wait(ctx))
		case <-ctx.Done():
			return fmt.Errorf("its agent does not answer: %w", ctx.Err())
		}
	}
}

// Run runs a weft command on the host and returns its standard output. The
// error has the command and what it wrote to standard error.
func (w *Weft) Run(ctx context.Context, h *Host, args ...string) (string, error) {
	return w.run(ctx, h, "weft", args)
}

func (w *Weft) run(ctx context.Context, h *Host, program string, args []string) (string, error) {
	cmd := exec.CommandContext(ctx, w.Program(program), args...)
	cmd.Env = append(os.Environ(), w.Environment(h)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := netns.Start(h.Path(), cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		err = fmt.Errorf("%s %s on host %s: %w", program, strings.Join(args, " "), h.Name(), err)
		if said := strings.TrimSpace(stderr.String()); said != "" {
			err = fmt.Errorf("%w: %s", err, strings.TrimPrefix(said, program+": "))
		}
	}
	return stdout.String(), err
}

// Token makes a token for a node to join with.
func (w *Weft) Token(ctx context.Context, server *Host) (string, error) {
	out, err := w.Run(ctx, server, "token", "create", "--role", "node")
	return strings.TrimSpace(out), err
}

// Down removes all that Weft made on the host.
func (w *Weft) Down(ctx context.Context, h *Host) error {
	_, err := w.run(ctx, h, "weftd", []string{"down"})
	return err
}
