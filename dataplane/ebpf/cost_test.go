package ebpf

import (
	"bytes"
	"encoding/binary"
	"os"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/overlay"
	"weft/packet"
)

// BenchmarkPrograms says what a program costs a packet of 64 bytes, by where it comes from and
// where it goes (BPF_PROG_TEST_RUN): ns/packet is the median of many runs. A program that
// changes its packet may see it once only, and the kernel's looking at the clock is in the
// figure then.
func BenchmarkPrograms(b *testing.B) {
	bed := newBed(b, overlay.AttachVeth)
	bed.apply(b, stateWith("blue"))
	devices := bed.devices(b)
	send := func(from, to station) []byte {
		e := packet.Ends{SrcMAC: from.mac, DstMAC: to.mac, Src: from.ip, Dst: to.ip, TTL: 64}
		return e.UDP(4000, 4001, make([]byte, 22))
	}
	for _, way := range []struct {
		name   string
		role   role
		device string
		frame  []byte
		again  uint32 // how often the program may see one packet
		want   uint32
	}{
		{"port-to-port", onPort, "blue-alice", send(alice, bob), 1000, actRedirect},
		{"port-to-node", onPort, "blue-alice", send(alice, carol), 1, actRedirect},
		{"node-to-port", onUnderlay, "eth0", tunnelled("blue", send(carol, alice)), 1, actRedirect},
		{"dropped", onPort, "blue-alice", send(bob, carol), 1000, actShot},
	} {
		b.Run(way.name, func(b *testing.B) {
			took := make([]int, b.N)
			if err := netns.Do(bed.on.Namespace, func() error {
				for i := range took {
					got, ns, err := cost(bed.programs.program(way.role), devices[way.device], way.frame, way.again)
					if err != nil {
						return err
					}
					if took[i] = int(ns); got != way.want {
						b.Fatalf("answer %d, want %d", got, way.want)
					}
				}
				return nil
			}); err != nil {
				b.Fatal(err)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2]), "ns/packet")
		})
	}
}

// cost has a program look at a frame so often, and returns what it answered last and how
// long it took on average, in ns.
func cost(p *ebpf.Program, device int, frame []byte, again uint32) (answer, ns uint32, err error) {
	var context bytes.Buffer
	if err := binary.Write(&context, binary.NativeEndian, skb{Device: uint32(device)}); err != nil {
		return 0, 0, err
	}
	const testRun = 10 // BPF_PROG_TEST_RUN (include/uapi/linux/bpf.h), whose part of union bpf_attr this is
	attr := struct {
		program, answer, sizeIn, sizeOut  uint32
		dataIn, dataOut                   uint64
		repeat, ns, contextIn, contextOut uint32
		context, out                      uint64
		flags, cpu, batch, _              uint32
	}{
		program: uint32(p.FD()), sizeIn: uint32(len(frame)), dataIn: uint64(uintptr(unsafe.Pointer(&frame[0]))), repeat: again,
		contextIn: uint32(context.Len()), context: uint64(uintptr(unsafe.Pointer(&context.Bytes()[0]))),
	}
	errno := unix.EINTR
	for errno == unix.EINTR { // the runtime's signals end it
		_, _, errno = unix.Syscall(unix.SYS_BPF, testRun, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	}
	runtime.KeepAlive(frame)
	runtime.KeepAlive(&context)
	if errno != 0 {
		return 0, 0, os.NewSyscallError("bpf", errno)
	}
	return attr.answer, attr.ns, nil
}
