package overlay

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// inherit is the word for what is taken from the inner packet.
const inherit = "inherit"

// TTL of outer packets; the zero value is the default.
type TTL struct {
	// Inherit takes the inner packet's.
	Inherit bool
	// Hops is 1 to 255, or 0 for the default.
	Hops uint8
}

// IsZero reports whether t is the default.
func (t TTL) IsZero() bool { return t == TTL{} }

// String is "inherit", "64", or empty for the default.
func (t TTL) String() string {
	switch {
	case t.Inherit:
		return inherit
	case t.Hops == 0:
		return ""
	}
	return strconv.Itoa(int(t.Hops))
}

// ParseTTL reads what String writes.
func ParseTTL(s string) (TTL, error) {
	switch s {
	case inherit:
		return TTL{Inherit: true}, nil
	case "":
		return TTL{}, nil
	}
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil || n == 0 {
		return TTL{}, fmt.Errorf("ttl %q: want 1 to 255, or inherit", s)
	}
	return TTL{Hops: uint8(n)}, nil
}

// MarshalText implements encoding.TextMarshaler.
func (t TTL) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what String writes.
func (t *TTL) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTTL(string(b))
	return err
}

// UnmarshalJSON takes a number and a word.
func (t *TTL) UnmarshalJSON(b []byte) (err error) {
	*t, err = fromJSON(b, ParseTTL)
	return err
}

// TOS of outer packets; the zero value is the default, to inherit.
type TOS struct {
	// Fixed: Value is it, and else the inner packet's.
	Fixed bool
	Value uint8
}

// IsZero reports whether t is the default.
func (t TOS) IsZero() bool { return !t.Fixed }

// String is "0x10", or empty for the default.
func (t TOS) String() string {
	if !t.Fixed {
		return ""
	}
	return fmt.Sprintf("0x%02x", t.Value)
}

// ParseTOS reads a number in any base that Go writes, or inherit.
func ParseTOS(s string) (TOS, error) {
	if s == inherit || s == "" {
		return TOS{}, nil
	}
	n, err := strconv.ParseUint(s, 0, 8)
	if err != nil {
		return TOS{}, fmt.Errorf("tos %q: want 0 to 255 (0xff), or inherit", s)
	}
	return TOS{Fixed: true, Value: uint8(n)}, nil
}

// MarshalText implements encoding.TextMarshaler.
func (t TOS) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what String writes.
func (t *TOS) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTOS(string(b))
	return err
}

// UnmarshalJSON takes a number and a word.
func (t *TOS) UnmarshalJSON(b []byte) (err error) {
	*t, err = fromJSON(b, ParseTOS)
	return err
}

// GREKey is the key of a GRE packet (RFC 2890 section 2.1).
type GREKey uint32

// String writes it as ip-tunnel(8) does, in dots: "0.17.17.17".
func (k GREKey) String() string {
	return netip.AddrFrom4([4]byte{byte(k >> 24), byte(k >> 16), byte(k >> 8), byte(k)}).String()
}

// ParseGREKey reads a number in any base that Go writes, or four numbers in dots.
func ParseGREKey(s string) (GREKey, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Is4() {
		b := a.As4()
		return GREKey(uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])), nil
	}
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("key %q: want 0 to 4294967295, such as 0x111111, or four numbers in dots", s)
	}
	return GREKey(n), nil
}

// MarshalText implements encoding.TextMarshaler.
func (k GREKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what String writes.
func (k *GREKey) UnmarshalText(b []byte) (err error) {
	*k, err = ParseGREKey(string(b))
	return err
}

// UnmarshalJSON takes a number and a word.
func (k *GREKey) UnmarshalJSON(b []byte) (err error) {
	*k, err = fromJSON(b, ParseGREKey)
	return err
}

// fromJSON reads what parse takes, as a string or as a bare number.
func fromJSON[T any](b []byte, parse func(string) (T, error)) (T, error) {
	var word string
	if err := json.Unmarshal(b, &word); err != nil {
		word = strings.TrimSpace(string(b))
	}
	return parse(word)
}

// PortRange are UDP ports, from Low to High.
type PortRange struct {
	Low  uint16 `json:"low" minimum:"1" maximum:"65535"`
	High uint16 `json:"high" minimum:"1" maximum:"65535"`
}

// String is "low-high".
func (r PortRange) String() string { return fmt.Sprintf("%d-%d", r.Low, r.High) }

// ParsePortRange reads what String writes.
func ParsePortRange(s string) (PortRange, error) {
	low, high, ok := strings.Cut(s, "-")
	l, err1 := strconv.ParseUint(low, 10, 16)
	h, err2 := strconv.ParseUint(high, 10, 16)
	if !ok || err1 != nil || err2 != nil || l == 0 || l > h {
		return PortRange{}, fmt.Errorf("source ports %q: want a range such as 32768-60999", s)
	}
	return PortRange{uint16(l), uint16(h)}, nil
}
