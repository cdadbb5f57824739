package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"weft/internal/netns"
)

// grace is how long a process has to end by itself when it is asked to.
const grace = 10 * time.Second

// Process is a program that runs in a lab.
type Process struct {
	cmd   *exec.Cmd
	log   string // the file its output goes to, or "" if cmd has its own
	ended chan struct{}
	err   error // how it ended; readable once ended is closed
}

func (l *Lab) start(ns string, cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	if cmd.Stdout == nil && cmd.Stderr == nil {
		p.log = l.logFile(cmd)
		// A file, not a pipe: the process must be able to outlive its builder.
		f, err := os.OpenFile(p.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
		}
		defer f.Close()
		cmd.Stdout, cmd.Stderr = f, f
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := netns.Start(ns, cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	go func() {
		defer close(p.ended)
		p.err = cmd.Wait()
	}()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.processes = append(l.processes, p)
	return p, nil
}

// logFile names a file that no other process of the lab has.
func (l *Lab) logFile(cmd *exec.Cmd) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started++
	return filepath.Join(l.Dir(), fmt.Sprintf("%03d-%s.log", l.started, filepath.Base(cmd.Path)))
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log names the file that has what the process wrote, "" if its output went
// elsewhere.
func (p *Process) Log() string { return p.log }

// Output returns what the process wrote so far, to its standard output and its
// standard error.
func (p *Process) Output() (string, error) {
	text, err := os.ReadFile(p.log)
	return string(text), err
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Wait waits for the process to end, and says how, as [exec.Cmd.Wait] does, or
// returns ctx's error.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.ended:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop asks the process to end (SIGTERM), and kills it if it does not within ten
// seconds or before ctx ends, which is an error. It returns when the process has
// ended. A process that has ended before is left alone.
func (p *Process) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
	}
	if err := p.Kill(); err != nil {
		return err
	}
	return fmt.Errorf("stop %s (process %d): killed, because it did not end: %w", p.cmd.Path, p.PID(), ctx.Err())
}

// Kill kills the process and returns when it has ended.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.ended
	return nil
}

// Signal sends the process a signal. One that has ended is past caring.
func (p *Process) Signal(s os.Signal) error {
	select {
	case <-p.ended:
		return nil
	default:
	}
	// os.Process knows when it has reaped the process: no other one that got its
	// number can be meant.
	if err := p.cmd.Process.Signal(s); err != nil && err != os.ErrProcessDone {
		return fmt.Errorf("signal %s (process %d): %w", p.cmd.Path, p.PID(), err)
	}
	return nil
}
