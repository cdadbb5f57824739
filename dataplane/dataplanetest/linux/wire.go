package linux

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// wire is the far end of a device: what we write the device receives, and what it
// sends we read.
type wire interface {
	write(frame []byte) error
	// read returns a frame that has come, or nil.
	read() ([]byte, error)
	Close() error
}

// packetWire is the other end of a veth, as a packet socket (packet(7)).
type packetWire struct{ fd int }

// wireBuffer holds what comes between two reads, in bytes.
const wireBuffer = 4 << 20

func openPacketWire(ns string, index int) (*packetWire, error) {
	var fd int
	err := netns.Do(ns, func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		return os.NewSyscallError("socket", err)
	})
	if err != nil {
		return nil, err
	}
	w := &packetWire{fd}
	if err := w.prepare(index); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *packetWire) prepare(index int) error {
	all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
	return errors.Join(
		// The tag of a VLAN frame comes beside it.
		os.NewSyscallError("setsockopt PACKET_AUXDATA", unix.SetsockoptInt(w.fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1)),
		os.NewSyscallError("setsockopt PACKET_IGNORE_OUTGOING", unix.SetsockoptInt(w.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)),
		os.NewSyscallError("setsockopt SO_RCVBUFFORCE", unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, wireBuffer)),
		os.NewSyscallError("bind", unix.Bind(w.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index})),
	)
}

func (w *packetWire) write(frame []byte) error {
	_, err := unix.Write(w.fd, frame)
	return os.NewSyscallError("write to packet socket", err)
}

func (w *packetWire) read() ([]byte, error) {
	b, aux := make([]byte, 1<<16), make([]byte, unix.CmsgSpace(auxdataLen))
	n, auxn, flags, _, err := unix.Recvmsg(w.fd, b, aux, 0)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENETDOWN): // the device may have gone
		return nil, nil
	case err != nil:
		return nil, os.NewSyscallError("read from packet socket", err)
	case flags&unix.MSG_TRUNC != 0:
		return nil, fmt.Errorf("read from packet socket: more than %d bytes", len(b))
	}
	return untaken(b[:n], aux[:auxn])
}

func (w *packetWire) Close() error { return os.NewSyscallError("close", unix.Close(w.fd)) }

// struct tpacket_auxdata (linux/if_packet.h): status at 0, tag and TPID at 16.
const auxdataLen = 20

// untaken puts the VLAN tag back that the kernel took from the frame on receipt.
func untaken(frame, control []byte) ([]byte, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, os.NewSyscallError("parse control message", err)
	}
	for _, m := range messages {
		if m.Header.Type != unix.PACKET_AUXDATA || len(m.Data) < auxdataLen {
			continue
		}
		const valid = unix.TP_STATUS_VLAN_VALID | unix.TP_STATUS_VLAN_TPID_VALID
		if binary.NativeEndian.Uint32(m.Data)&valid != valid {
			continue
		}
		var tag []byte
		tag = binary.BigEndian.AppendUint16(tag, binary.NativeEndian.Uint16(m.Data[18:]))
		tag = binary.BigEndian.AppendUint16(tag, binary.NativeEndian.Uint16(m.Data[16:]))
		return slices.Insert(frame, 12, tag...), nil
	}
	return frame, nil
}

// tapWire is a tap device, as the virtual machine has it that it is made for.
type tapWire struct{ file int }

func openTapWire(ns, name string) (*tapWire, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	var fd int
	err = netns.Do(ns, func() (err error) {
		fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		return os.NewSyscallError("open /dev/net/tun", err)
	})
	if err != nil {
		return nil, err
	}
	w := &tapWire{fd}
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return nil, errors.Join(os.NewSyscallError("ioctl TUNSETIFF", err), w.Close())
	}
	return w, nil
}

// attached reports whether the device is still there.
func (w *tapWire) attached() bool {
	request, err := unix.NewIfreq("")
	return err == nil && unix.IoctlIfreq(w.file, unix.TUNGETIFF, request) == nil
}

func (w *tapWire) write(frame []byte) error {
	_, err := unix.Write(w.file, frame)
	return os.NewSyscallError("write to tap", err)
}

func (w *tapWire) read() ([]byte, error) {
	b := make([]byte, 1<<16)
	n, err := unix.Read(w.file, b)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EBADFD) { // the device may have gone
		return nil, nil
	}
	return b[:max(n, 0)], os.NewSyscallError("read from tap", err)
}

func (w *tapWire) Close() error { return os.NewSyscallError("close", unix.Close(w.file)) }
