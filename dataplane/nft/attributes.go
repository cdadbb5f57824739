package nft

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"weft/internal/nlmsg"
)

// attributes is a list of netlink attributes in the making (linux/netlink.h, nlattr).
type attributes []byte

func (a *attributes) bytes(kind int, value ...byte) {
	*a = binary.NativeEndian.AppendUint16(*a, uint16(unix.SizeofNlAttr+len(value)))
	*a = binary.NativeEndian.AppendUint16(*a, uint16(kind))
	*a = append(*a, value...)
	*a = append(*a, 0, 0, 0)[:len(*a)+pad(len(value))-len(value)]
}

func (a *attributes) text(kind int, s string) { a.bytes(kind, append([]byte(s), 0)...) }

// number is in network order, as all of nf_tables' are.
func (a *attributes) number(kind int, n uint32) {
	a.bytes(kind, binary.BigEndian.AppendUint32(nil, n)...)
}

func (a *attributes) number64(kind int, n uint64) {
	a.bytes(kind, binary.BigEndian.AppendUint64(nil, n)...)
}

func (a *attributes) nest(kind int, f func(*attributes)) {
	var inner attributes
	f(&inner)
	a.bytes(kind|unix.NLA_F_NESTED, inner...)
}

func number(b []byte) uint32 {
	if len(b) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

func number64(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// dataValue is the bytes inside an attribute of data (NFTA_DATA_VALUE).
func dataValue(b []byte) (value string) {
	nlmsg.Attributes(b, func(kind uint16, v []byte) {
		if kind == unix.NFTA_DATA_VALUE {
			value = string(v)
		}
	})
	return value
}
