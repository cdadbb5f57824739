package user

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// readyLine is what a forwarder's process writes to its standard output once it forwards.
const readyLine = "ready"

// startTime is how long it may take.
const startTime = 20 * time.Second

// start starts the process, and returns when it forwards. It has a session of its own, so
// that it goes on when this process ends, and what it says goes to a file.
func (f *Forwarder) start() error {
	log, err := os.OpenFile(filepath.Join(f.Dir, logFile), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(f.Command[0], f.Command[1:]...)
	cmd.Args[0] = "weftd" // as people look for it
	cmd.Dir, cmd.Stderr, cmd.SysProcAttr = "/", log, &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the forwarder: %w", err)
	}
	timer := time.AfterFunc(startTime, func() { _ = cmd.Process.Kill() }) // ends the reading
	line, err := bufio.NewReader(out).ReadString('\n')
	timer.Stop()
	if strings.TrimSpace(line) == readyLine {
		go reap(cmd)
		return out.Close()
	}
	_ = cmd.Process.Kill()
	if !errors.Is(err, io.EOF) {
		return errors.Join(fmt.Errorf("start the forwarder: %w", err), cmd.Wait())
	}
	said, _ := os.ReadFile(log.Name()) // the exit code says it, too
	return fmt.Errorf("start the forwarder: %w: %s", cmd.Wait(), strings.TrimSpace(string(said)))
}

// reap takes note of the end of a process that is not waited for: it may outlive this one.
func reap(cmd *exec.Cmd) { _, _ = cmd.Process.Wait() }

// SayReady is what a forwarder's process calls when it forwards. Nobody listens after that.
func SayReady(out *os.File) error {
	_, err := fmt.Fprintln(out, readyLine)
	return errors.Join(err, out.Close())
}

// endTime is how long a forwarder may take to end before it is killed.
const endTime = 5 * time.Second

// End ends the forwarder of a run directory, if there is one, and waits for that.
func End(dir string) error {
	process, err := running(dir)
	if errors.Is(err, errNone) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the forwarder: %w", err)
	}
	defer process.Close()
	if _, err := ask(dir, end); err == nil || errors.Is(err, errNone) {
		if ended, err := hasEnded(process, endTime); ended || err != nil {
			return err
		}
	}
	err = unix.PidfdSendSignal(int(process.Fd()), unix.SIGKILL, nil, 0)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill the forwarder: %w", err)
	}
	ended, err := hasEnded(process, endTime)
	if err == nil && !ended {
		err = fmt.Errorf("kill the forwarder: %w", os.ErrDeadlineExceeded)
	}
	return err
}

// running is a descriptor of the process that serves a run directory's socket.
func running(dir string) (*os.File, error) {
	conn, err := net.Dial("unix", filepath.Join(dir, socketFile))
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
		return nil, errNone
	}
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	failed := raw.Control(func(socket uintptr) {
		var peer *unix.Ucred
		if peer, err = unix.GetsockoptUcred(int(socket), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			fd, err = unix.PidfdOpen(int(peer.Pid), 0)
		}
	})
	switch {
	case errors.Is(err, unix.ESRCH):
		return nil, errNone
	case err != nil || failed != nil:
		return nil, errors.Join(err, failed)
	}
	return os.NewFile(uintptr(fd), "forwarder"), nil
}

// hasEnded waits that long for the end of a process.
func hasEnded(process *os.File, patience time.Duration) (bool, error) {
	for deadline := time.Now().Add(patience); ; {
		left := time.Until(deadline)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(process.Fd()), Events: unix.POLLIN}}, int(max(left, 0).Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			return n > 0, os.NewSyscallError("poll", err)
		}
	}
}

// Remove ends the forwarder of a run directory and removes what there is of it. It says whether
// there was one.
func Remove(dir string) (ended bool, err error) {
	if process, e := running(dir); e == nil {
		ended = true
		err = process.Close()
	}
	err = errors.Join(err, End(dir))
	for _, name := range []string{jobsFile, socketFile, lockFile, logFile} {
		if e := os.Remove(filepath.Join(dir, name)); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return ended, err
}
