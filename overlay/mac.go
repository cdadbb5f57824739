package overlay

import (
	"encoding/hex"
	"fmt"
	"net/netip"
)

// MAC is an EUI-48 address. The zero value is invalid as a station's address.
type MAC [6]byte

// ParseMAC reads six hexadecimal octets separated by colons or dashes.
func ParseMAC(s string) (MAC, error) {
	var m MAC
	bad := fmt.Errorf("MAC address %q: want six octets such as 02:00:5e:10:00:01", s)
	if len(s) != 17 {
		return MAC{}, bad
	}
	for i := range m {
		if i > 0 && s[3*i-1] != ':' && s[3*i-1] != '-' {
			return MAC{}, bad
		}
		if _, err := hex.Decode(m[i:i+1], []byte(s[3*i:3*i+2])); err != nil {
			return MAC{}, bad
		}
	}
	return m, nil
}

// IsZero reports whether m is unset.
func (m MAC) IsZero() bool { return m == MAC{} }

// IsUnicast reports whether m can be one station's address: it is set and its
// group bit (IEEE 802, least significant bit of the first octet) is clear.
func (m MAC) IsUnicast() bool { return !m.IsZero() && m[0]&1 == 0 }

// String returns lower-case octets separated by colons.
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// MarshalText is String, and empty for the zero MAC.
func (m MAC) MarshalText() ([]byte, error) {
	if m.IsZero() {
		return nil, nil
	}
	return []byte(m.String()), nil
}

// UnmarshalText is ParseMAC; empty text is the zero MAC.
func (m *MAC) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*m = MAC{}
		return nil
	}
	parsed, err := ParseMAC(string(b))
	*m = parsed
	return err
}

// LinkLocal is the IPv6 link-local address that stateless autoconfiguration
// gives an interface with this MAC (RFC 4291 appendix A, modified EUI-64).
func (m MAC) LinkLocal() netip.Addr {
	return netip.AddrFrom16([16]byte{
		0: 0xfe, 1: 0x80,
		8: m[0] ^ 0x02, 9: m[1], 10: m[2], 11: 0xff,
		12: 0xfe, 13: m[3], 14: m[4], 15: m[5],
	})
}
