// Package nlmsg reads netlink messages (linux/netlink.h): a datagram's messages, a
// message's attributes, and the kernel's answer to a request.
//
// It sends nothing, and knows none of the families that speak netlink: what an attribute
// means, and in which byte order its numbers are, its reader knows. What does not parse
// ends the reading without an error, as the kernel sends no such thing; nothing here
// panics on it.
package nlmsg

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Messages calls f with each message of a datagram. Payloads are parts of b.
func Messages(b []byte, f func(h unix.NlMsghdr, payload []byte)) {
	for len(b) >= unix.SizeofNlMsghdr {
		h := unix.NlMsghdr{
			Len: binary.NativeEndian.Uint32(b), Type: binary.NativeEndian.Uint16(b[4:]),
			Flags: binary.NativeEndian.Uint16(b[6:]), Seq: binary.NativeEndian.Uint32(b[8:]), Pid: binary.NativeEndian.Uint32(b[12:]),
		}
		if h.Len < unix.SizeofNlMsghdr || uint64(h.Len) > uint64(len(b)) {
			return
		}
		f(h, b[unix.SizeofNlMsghdr:h.Len])
		b = b[min(align(int(h.Len)), len(b)):]
	}
}

// Attributes calls f with the type and the value of each attribute in b. Values are
// parts of b.
func Attributes(b []byte, f func(kind uint16, value []byte)) {
	for len(b) >= unix.SizeofNlAttr {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofNlAttr || size > len(b) {
			return
		}
		f(binary.NativeEndian.Uint16(b[2:])&typeMask, b[unix.SizeofNlAttr:size])
		b = b[min(align(size), len(b)):]
	}
}

// typeMask takes off an attribute's type the bits that say how to read it
// (NLA_F_NESTED, NLA_F_NET_BYTEORDER).
const typeMask = 0x3fff

// align rounds a length up to where the next message or attribute begins (NLMSG_ALIGN, NLA_ALIGN).
func align(n int) int { return (n + 3) &^ 3 }

// Text is a string's value, which may or may not end with zeros.
func Text(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(text)
}

// Error is what the end of an answer (NLMSG_ERROR, NLMSG_DONE) says: nil, or a
// [unix.Errno], with the kernel's own words if there are any. They stand behind the
// request's header and, unless it was capped, its payload (linux/netlink.h, struct nlmsgerr).
func Error(h unix.NlMsghdr, payload []byte) error {
	if len(payload) < sizeofErrno {
		return nil
	}
	errno := int32(binary.NativeEndian.Uint32(payload))
	if errno == 0 {
		return nil
	}
	var err error = unix.Errno(-errno)
	if h.Type != unix.NLMSG_ERROR || h.Flags&unix.NLM_F_ACK_TLVS == 0 || len(payload) < sizeofErrno+unix.SizeofNlMsghdr {
		return err
	}
	request := unix.SizeofNlMsghdr
	if h.Flags&unix.NLM_F_CAPPED == 0 {
		request = align(int(binary.NativeEndian.Uint32(payload[sizeofErrno:])))
	}
	if request > len(payload)-sizeofErrno {
		return err
	}
	Attributes(payload[sizeofErrno+request:], func(kind uint16, v []byte) {
		if kind == unix.NLMSGERR_ATTR_MSG {
			err = fmt.Errorf("%w (%s)", err, Text(v))
		}
	})
	return err
}

const sizeofErrno = 4
