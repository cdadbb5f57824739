package e2e

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"weft/lab"
)

// boot attaches a tap to the network and starts a virtual machine on it: a
// namespace for its kernel, and for its hypervisor two loops that carry frames
// between Weft's tap and the machine's eth0. The machine ends with the test.
func (h *host) boot(network, name string) *workload {
	h.s.t.Helper()
	vm := &workload{Namespace: h.namespace(name), host: h, name: name}
	h.read(&vm.Attachment, "endpoint attach %s --tap %s", network, name)
	outside, err := openTap(&h.Namespace, name)
	if err != nil {
		h.s.t.Fatal(err)
	}
	inside, err := openTap(vm.Namespace, "eth0") // which makes it
	if err != nil {
		h.s.t.Fatal(errors.Join(err, outside.Close()))
	}
	var hypervisor errgroup.Group
	hypervisor.Go(func() error { return carry(outside, inside) })
	hypervisor.Go(func() error { return carry(inside, outside) })
	h.s.t.Cleanup(func() {
		if err := errors.Join(outside.Close(), inside.Close(), hypervisor.Wait()); err != nil {
			h.s.t.Error(err)
		}
	})
	return vm
}

// openTap takes the hypervisor's end of a tap (Documentation/networking/tuntap.rst).
// Like qemu without vhost it takes whole frames, with checksums in place.
func openTap(ns *lab.Namespace, name string) (tap *os.File, err error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	err = ns.Do(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return os.NewSyscallError("open /dev/net/tun", err)
		}
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
			return errors.Join(fmt.Errorf("take tap %s: %w", name, err), unix.Close(fd))
		}
		// Only now is the descriptor something that can be polled.
		tap = os.NewFile(uintptr(fd), name)
		return nil
	})
	return tap, err
}

// carry carries frames until one of the taps is closed. A frame for a tap that is
// down is lost, as on a wire.
func carry(from, to *os.File) error {
	frame := make([]byte, 65536)
	for {
		n, err := from.Read(frame)
		if err == nil {
			_, err = to.Write(frame[:n])
		}
		switch {
		case errors.Is(err, os.ErrClosed):
			return nil
		case err != nil && !errors.Is(err, unix.EIO):
			return err
		}
	}
}
