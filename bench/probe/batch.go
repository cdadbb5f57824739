package probe

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batch is how many packets a system call sends or receives at most: what the
// network does to a packet is to decide the figures, not the way into the kernel.
const batch = 32

// header is the kernel's struct mmsghdr (sendmmsg(2)).
type header struct {
	unix.Msghdr
	length uint32
}

// packets are buffers for one call of sendmmsg or recvmmsg. They may be used by one
// goroutine at a time.
type packets struct {
	headers [batch]header
	vectors [batch]unix.Iovec
	data    []byte
	size    int
}

// newPackets makes buffers of size bytes each. The headers point into the value
// itself, so it is never copied.
func newPackets(size int) *packets {
	p := &packets{data: make([]byte, batch*size), size: size}
	for i := range p.headers {
		p.vectors[i].Base = &p.data[i*size]
		p.vectors[i].SetLen(size)
		p.headers[i].Iov = &p.vectors[i]
		p.headers[i].SetIovlen(1)
	}
	return p
}

// at is the i-th packet's buffer.
func (p *packets) at(i int) []byte { return p.data[i*p.size : (i+1)*p.size] }

// length of the i-th packet that was received.
func (p *packets) length(i int) int { return int(p.headers[i].length) }

// send sends the first n packets and returns how many the kernel took.
func (p *packets) send(fd, n int) (int, error) {
	return p.call(unix.SYS_SENDMMSG, fd, n, 0)
}

// receive waits for a packet and returns how many there were.
func (p *packets) receive(fd int) (int, error) {
	return p.call(unix.SYS_RECVMMSG, fd, batch, unix.MSG_WAITFORONE)
}

func (p *packets) call(number uintptr, fd, n int, flags uintptr) (int, error) {
	for {
		done, _, errno := unix.Syscall6(number, uintptr(fd), uintptr(unsafe.Pointer(&p.headers[0])), uintptr(n), flags, 0, 0)
		runtime.KeepAlive(p)
		switch errno {
		case 0:
			return int(done), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
