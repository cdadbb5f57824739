package trace

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"weft/packet"
)

// receive waits for one frame.
func (c *Capture) receive() (Frame, error) {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return Frame{}, err
	}
	var n, oobn int
	var from unix.Sockaddr
	var recvErr error
	if err := raw.Read(func(fd uintptr) (done bool) {
		for {
			n, oobn, _, from, recvErr = unix.Recvmsg(int(fd), c.buf, c.oob, 0)
			if recvErr != unix.EINTR {
				return recvErr != unix.EAGAIN
			}
		}
	}); err != nil {
		return Frame{}, err
	}
	if recvErr != nil {
		return Frame{}, os.NewSyscallError("recvmsg", recvErr)
	}
	return c.frame(bytes.Clone(c.buf[:n]), c.oob[:oobn], from)
}

// frame puts a frame together from what recvmsg returned.
func (c *Capture) frame(data, oob []byte, from unix.Sockaddr) (Frame, error) {
	f := Frame{Interface: c.name, Direction: In, Length: len(data), Data: data}
	if l, ok := from.(*unix.SockaddrLinklayer); ok && l.Pkttype == unix.PACKET_OUTGOING {
		f.Direction = Out
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return Frame{}, os.NewSyscallError("recvmsg", err)
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS_NEW && len(m.Data) >= 16:
			// struct __kernel_timespec, 64 bits wide everywhere.
			f.Time = time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		case m.Header.Level == unix.SOL_PACKET && m.Header.Type == unix.PACKET_AUXDATA:
			f.auxiliary(m.Data)
		}
	}
	return f, nil
}

// auxiliary adds what the kernel says beside the frame (struct tpacket_auxdata in
// include/uapi/linux/if_packet.h): its whole length, and the VLAN tag that the device
// or the kernel took out.
func (f *Frame) auxiliary(b []byte) {
	const size = 20
	if len(b) < size {
		return
	}
	status := binary.NativeEndian.Uint32(b)
	f.Length = max(int(binary.NativeEndian.Uint32(b[4:])), len(f.Data))
	if status&unix.TP_STATUS_VLAN_VALID == 0 || len(f.Data) < packet.EthernetLen {
		return
	}
	tpid := uint16(packet.TypeVLAN)
	if status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
		tpid = binary.NativeEndian.Uint16(b[18:])
	}
	tag := binary.BigEndian.AppendUint16(nil, tpid)
	tag = binary.BigEndian.AppendUint16(tag, binary.NativeEndian.Uint16(b[16:]))
	f.Data = slices.Insert(f.Data, packet.EthernetLen-2, tag...)
	f.Length += vlanTagLen
}
