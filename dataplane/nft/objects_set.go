package nft

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"weft/overlay"
)

// Key is the fields whose values a set holds, one behind the other.
type Key [3]Field

func keyOf(f ...Field) (k Key) {
	copy(k[:], f)
	return k
}

// list is the key's fields.
func (k Key) list() []Field {
	n := slices.Index(k[:], noField)
	if n < 0 {
		n = len(k)
	}
	return k[:n]
}

// String is the key in rules, "iifname . ether saddr".
func (k Key) String() string { return k.join(Field.String) }

func (k Key) join(f func(Field) string) string {
	var parts []string
	for _, part := range k.list() {
		parts = append(parts, f(part))
	}
	return strings.Join(parts, " . ")
}

// length of the key in a set, in bytes. A key of one field is not filled up.
func (k Key) length() int {
	if k[1] == noField {
		return fields[k[0]].length
	}
	n := 0
	for _, f := range k.list() {
		n += f.room()
	}
	return n
}

// isRaw reports whether there is a field whose values have no type in nft(8).
func (k Key) isRaw() bool {
	return slices.ContainsFunc(k.list(), func(f Field) bool { return fields[f].kind == integer })
}

// Set is a set of keys, or a map from keys to values.
type Set struct {
	Key Key
	// Value is what a map maps to; a set has noKind.
	Value kind
	// Prefixes: keys are IP prefixes of one field.
	Prefixes bool
	// Dynamic: rules add the elements, which are nobody else's, and are not looked at.
	// They end when nothing has come for a while.
	Dynamic bool
	// Elements by their key's bytes; of Prefixes, the address and a byte with
	// the prefix length. Values are an address's bytes, or a verdict in words.
	Elements map[string]string
	// Odd: it is something else than any of Weft's.
	Odd bool
}

func newSet(fields ...Field) Set {
	return Set{Key: keyOf(fields...), Elements: map[string]string{}}
}

// to makes the set a map.
func (s Set) to(value kind) Set {
	s.Value = value
	return s
}

// ofPrefixes makes it one of prefixes.
func (s Set) ofPrefixes() Set {
	s.Prefixes = true
	return s
}

// ofRules makes it one of which rules add the elements.
func (s Set) ofRules() Set {
	s.Dynamic = true
	return s
}

// Of a Dynamic set: how many elements there may be, and when unused ones end, in seconds.
const (
	dynamicSize    = 4096
	dynamicTimeout = 60
)

// sameAs reports whether two sets are of one kind, whatever their elements.
func (s Set) sameAs(o Set) bool {
	return s.Key == o.Key && s.Value == o.Value && s.Prefixes == o.Prefixes && s.Dynamic == o.Dynamic && s.Odd == o.Odd
}

// what is set or map.
func (s Set) what() string {
	if s.Value != noKind {
		return "map"
	}
	return "set"
}

// definition is what nft(8) has between the braces.
func (s Set) definition() string {
	typ := "type " + s.Key.join(func(f Field) string { return kinds[fields[f].kind].name })
	if s.Key.isRaw() {
		typ = "typeof " + s.Key.String()
	}
	if s.Value != noKind {
		typ += " : " + kinds[s.Value].name
	}
	if s.Prefixes {
		typ += "; flags interval"
	}
	if s.Dynamic {
		typ += fmt.Sprintf("; size %d; flags dynamic,timeout; timeout %ds", dynamicSize, dynamicTimeout)
	}
	return typ + ";"
}

// element prints one of the elements.
func (s Set) element(key, value string) string {
	text := s.key(key)
	if s.Value != noKind {
		text += " : " + s.Value.print(value)
	}
	return text
}

func (s Set) key(key string) string {
	if s.Prefixes {
		p := prefixOf(key)
		if p.IsSingleIP() {
			return p.Addr().String()
		}
		return p.String()
	}
	return s.Key.join(func(f Field) string {
		v := key[:fields[f].length]
		key = key[min(f.room(), len(key)):]
		return f.print(v)
	})
}

// sortedKeys is the keys of elements in order.
func sortedKeys(elements map[string]string) []string { return slices.Sorted(maps.Keys(elements)) }

// join makes a key of several parts.
func join(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p)
		b.WriteString("\x00\x00\x00"[:pad(len(p))-len(p)])
	}
	return b.String()
}

// The bytes of values.

func deviceBytes(name string) string {
	var b [16]byte // IFNAMSIZ
	copy(b[:15], name)
	return string(b[:])
}

func macBytes(m overlay.MAC) string { return string(m[:]) }

func addressBytes(a netip.Addr) string { return string(a.AsSlice()) }

func portBytes(p uint16) string { return string(binary.BigEndian.AppendUint16(nil, p)) }

func vniBytes(v overlay.VNI) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(v))[1:])
}

func prefixBytes(p netip.Prefix) string {
	return addressBytes(p.Masked().Addr()) + string([]byte{byte(p.Bits())})
}

// prefixOf is the prefix of such bytes.
func prefixOf(b string) netip.Prefix {
	n := len(b) - 1
	a, _ := netip.AddrFromSlice([]byte(b[:n]))
	return netip.PrefixFrom(a, int(b[n]))
}

// Verdicts in words.
const (
	acceptVerdict = "accept"
	dropVerdict   = "drop"
	gotoVerdict   = "goto " // followed by a chain
	jumpVerdict   = "jump "
)

// quoted is a name in a rule.
func quoted(name string) string { return strconv.Quote(name) }
