package packet

import "strconv"

// NDOptionType says what a neighbour discovery option holds.
type NDOptionType uint8

const (
	NDSourceLinkAddr NDOptionType = 1  // RFC 4861 section 4.6.1: the sender's MAC
	NDTargetLinkAddr NDOptionType = 2  // RFC 4861 section 4.6.1: the target's MAC
	NDNonce          NDOptionType = 14 // RFC 3971 section 5.3.2; Linux sends it in DAD (RFC 7527)
)

// String returns the name, or the number.
func (t NDOptionType) String() string {
	switch t {
	case NDSourceLinkAddr:
		return "source link-layer address"
	case NDTargetLinkAddr:
		return "target link-layer address"
	case NDNonce:
		return "nonce"
	}
	return "option " + strconv.Itoa(int(t))
}

// NDOption is one option of a neighbour discovery message (RFC 4861 section 4.6).
// Value aliases the bytes that it was parsed from.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Type      |   Length/8    |            Value ...
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type NDOption struct {
	Type  NDOptionType
	Value []byte // without type and length: 6 bytes, 14, 22, ...
}

// ParseNDOption reads the first of the options in b, and rest begins with the
// next. An option of length zero is malformed: its packet must be dropped
// (RFC 4861 section 4.6).
func ParseNDOption(b []byte) (o NDOption, rest []byte, err error) {
	if len(b) < 8 {
		return o, nil, errShort("neighbor discovery option", len(b), 8)
	}
	n := 8 * int(b[1])
	if n == 0 {
		return o, nil, errMalformed("neighbor discovery option", "length", n)
	}
	if n > len(b) {
		return o, nil, errShort("neighbor discovery option", len(b), n)
	}
	return NDOption{Type: NDOptionType(b[0]), Value: b[2:n]}, b[n:], nil
}

// Append appends the option, its value padded with zeros to whole units of 8
// bytes. A value has at most 2038 bytes.
func (o NDOption) Append(b []byte) []byte {
	units := (len(o.Value) + 2 + 7) / 8
	end := len(b) + 8*units
	b = append(b, byte(o.Type), byte(units))
	b = append(b, o.Value...)
	for len(b) < end {
		b = append(b, 0)
	}
	return b
}

// LinkAddr finds the MAC in the first option of type t. All options are read, so
// that a malformed one is an error wherever it stands; found is false where there
// is none of that type, or one whose address is not Ethernet's.
func LinkAddr(options []byte, t NDOptionType) (mac [6]byte, found bool, err error) {
	for len(options) > 0 {
		var o NDOption
		if o, options, err = ParseNDOption(options); err != nil {
			return [6]byte{}, false, err
		}
		if o.Type == t && len(o.Value) == len(mac) && !found {
			mac, found = [6]byte(o.Value), true
		}
	}
	return mac, found, nil
}
