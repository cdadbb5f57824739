package vm

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/internal/testenv"
)

const (
	qemu    = "qemu-system-x86_64"
	console = "console"
	qemuLog = "qemu"
	// memory is how much a machine may use; it takes what it does use.
	memory = "1024"
	// cmdline is the kernel's. A machine that gets no time for a while is not to take its timer
	// for broken; and what protects from neighbours on a real CPU costs an emulated one a third
	// of its time.
	cmdline = "console=ttyS0 quiet panic=-1 no_timer_check mitigations=off"
)

// NIC is a network device of a machine's. Its other end is a tap, which is made and goes
// with the machine.
type NIC struct {
	// Namespace is the path of the tap's, and Device its name.
	Namespace, Device string
}

// need skips the test unless there is all that a machine with this kernel needs.
func need(t testing.TB, k Kernel, more []string) {
	t.Helper()
	testenv.Need(t, slices.Concat([]string{qemu, "ldd"}, tools, more)...)
	if _, err := os.Stat(filepath.Join(k.dir(), "release")); err != nil {
		testenv.Skip(t, fmt.Sprintf("needs Linux %s in .cache/kernels: test/kernels fetches it (make test does so)", k))
	}
}

// boot starts qemu, which ends with the test.
func (m *Machine) boot(archive string, nics []NIC) {
	m.t.Helper()
	cmd := exec.Command(qemu,
		"-machine", "q35,accel=tcg", "-cpu", "qemu64,+rdrand", "-m", memory,
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-kernel", filepath.Join(m.kernel.dir(), "vmlinux"), "-initrd", archive, "-append", cmdline,
		"-serial", "file:"+filepath.Join(m.dir, console),
		"-chardev", "stdio,id=jobs,signal=off", "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=jobs",
	)
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
	}()
	mine := func(f, other *os.File, err error) *os.File {
		m.t.Helper()
		if err != nil {
			m.t.Fatal(err)
		}
		theirs = append(theirs, other)
		m.t.Cleanup(func() { f.Close() })
		return f
	}
	stdin, jobs, err := os.Pipe()
	m.jobs = mine(jobs, stdin, err)
	output, stdout, err := os.Pipe()
	m.output = mine(output, stdout, err)
	m.lines = bufio.NewReader(output)
	stderr, err := os.Create(filepath.Join(m.dir, qemuLog))
	if err != nil {
		m.t.Fatal(err)
	}
	theirs = append(theirs, stderr)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	for i, n := range nics {
		tap, err := openTap(n)
		if err != nil {
			m.t.Fatal(err)
		}
		theirs = append(theirs, tap)
		cmd.ExtraFiles = append(cmd.ExtraFiles, tap)
		// Without offloads every checksum on the wire is final.
		cmd.Args = append(cmd.Args, "-netdev", fmt.Sprintf("tap,id=n%d,fd=%d", i, 3+i), "-device",
			fmt.Sprintf("virtio-net-pci,netdev=n%d,romfile=,csum=off,gso=off,host_tso4=off,host_tso6=off,host_ufo=off,"+
				"guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ufo=off,guest_ecn=off,mrg_rxbuf=off", i))
	}
	ended, err := start(cmd)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		cmd.Process.Kill() // it may have ended already, which [Machine.Try] says
		<-ended
	})
}

// start starts a process that is killed when this one ends: the kernel does so when the
// thread ends that has started it, so that waits for it and does nothing else.
func start(cmd *exec.Cmd) (ended <-chan struct{}, err error) {
	started, done := make(chan error, 1), make(chan struct{})
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait() // killed, as a rule
		}
	}()
	return done, <-started
}

// openTap makes a tap, which is there as long as it is open. It belongs to the namespace in
// which it is opened (drivers/net/tun.c, tun_chr_open).
func openTap(n NIC) (tap *os.File, err error) {
	err = netns.Do(n.Namespace, func() error {
		f, err := os.OpenFile("/dev/net/tun", os.O_RDWR|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		request, err := unix.NewIfreq(n.Device)
		if err == nil {
			request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
			err = unix.IoctlIfreq(int(f.Fd()), unix.TUNSETIFF, request)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("make tap %s: %w", n.Device, err), f.Close())
		}
		tap = f
		return nil
	})
	return tap, err
}
