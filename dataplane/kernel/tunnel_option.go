package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/vishvananda/netlink/nl"

	"weft/internal/nlmsg"
)

// option is one thing that a kind of tunnel link can be told.
type option struct {
	attribute uint16
	// fixed: it is said when the link is made, or never.
	fixed bool
	// instead: if it is not said, another option is, and takes it away.
	instead bool
	// encode is the attribute's value; nil: it is not said. It tells two options apart.
	encode func(Outer) []byte
	decode func(*Outer, []byte)
	// words are those of ip link, also where it has it so without them (unsaid).
	words  func(Outer) []string
	unsaid func(Outer) bool
	// cleared are the words that take away what have had; nil: words say it.
	cleared func(o, have Outer) []string
	// forget takes away what is told of a link that does not have the option; nil: all do.
	forget func(*Outer)
}

// once has the option fixed.
func once(o option) option {
	o.fixed = true
	return o
}

// attributes adds what a link is made or changed with: of all options, or of those that
// differ from have. device is the number of Outer.Device.
func (k tunnelKind) attributes(data *nl.RtAttr, o Outer, have *Outer, device int) {
	if o.Device != "" && (have == nil || k.whole || have.Device != o.Device) {
		data.AddRtAttr(int(k.device), nl.Uint32Attr(uint32(device)))
	}
	for _, p := range k.options {
		v := p.encode(o)
		if v != nil && (have == nil || k.whole || !bytes.Equal(v, p.encode(*have))) {
			data.AddRtAttr(int(p.attribute), v)
		}
	}
}

// words are attributes as ip link has them, which leaves what is not said as it is.
func (k tunnelKind) words(o Outer, have *Outer) []string {
	var words []string
	for _, p := range k.options {
		changed := have != nil && (!p.same(o, *have) && (p.encode(o) != nil || !p.instead) || p.attribute == 0 && o.Device != have.Device)
		if changed || (have == nil || k.whole) && !p.unsaid(o) {
			words = append(words, p.words(o)...)
		}
		if have != nil && p.cleared != nil {
			words = append(words, p.cleared(o, *have)...)
		}
	}
	return words
}

// changes reports whether a link can be changed from have to want.
func (k tunnelKind) changes(want, have Outer) bool {
	if have.Odd || want.Odd || want.Local.Is6() != have.Local.Is6() || want.Remote.Is6() != have.Remote.Is6() {
		return false
	}
	if !k.whole && (want.Device != have.Device || want.Remote.IsMulticast() || have.Remote.IsMulticast()) {
		return want == have // a link joins its group when it comes up
	}
	for _, p := range k.options {
		if !p.same(want, have) && (p.fixed || p.encode(want) == nil && !k.whole && !p.instead) {
			return false
		}
	}
	return true
}

func (p option) same(a, b Outer) bool {
	x, y := p.encode(a), p.encode(b)
	return bytes.Equal(x, y) && (x == nil) == (y == nil)
}

// parse reads IFLA_INFO_DATA. device is the number of Outer.Device, or 0.
func (k tunnelKind) parse(data []byte) (o Outer, device int) {
	nlmsg.Attributes(data, func(kind uint16, v []byte) {
		if kind == k.device {
			device = number(v)
		}
		for _, p := range k.options {
			if kind == p.attribute {
				p.decode(&o, v)
			}
		}
		for _, odd := range k.odd {
			// A flag has no value: it is there, or it is not.
			o.Odd = o.Odd || kind == odd && (len(v) == 0 || len(bytes.Trim(v, "\x00")) > 0)
		}
	})
	for _, p := range k.options {
		if p.forget != nil {
			p.forget(&o)
		}
	}
	return o, device
}

// addressOption is an outer address, which IPv6 may have an attribute of its own for.
func addressOption(v4, v6 uint16, word string, field func(*Outer) *netip.Addr) []option {
	one := func(attribute uint16, is6 bool) option {
		mine := func(o Outer) bool { a := *field(&o); return a.IsValid() && (a.Is6() == is6 || v4 == v6) }
		return option{
			attribute: attribute,
			encode: func(o Outer) []byte {
				if !mine(o) {
					return nil
				}
				return field(&o).AsSlice()
			},
			decode: func(o *Outer, v []byte) {
				if a := address(v); !a.IsUnspecified() {
					*field(o) = a
				}
			},
			words: func(o Outer) []string {
				if word == "remote" && field(&o).IsMulticast() {
					return []string{"group", field(&o).String()}
				}
				return []string{word, field(&o).String()}
			},
			unsaid: func(o Outer) bool { return !mine(o) },
		}
	}
	if v4 == v6 {
		return []option{one(v4, false)}
	}
	return []option{one(v4, false), one(v6, true)}
}

// numberOption is a number of 1 to 4 bytes, in the byte order of the attribute. spell has it
// in words; def is what ip link takes if nothing is said.
func numberOption[T ~uint8 | ~uint16 | ~uint32](attribute uint16, order binary.ByteOrder, def T, field func(*Outer) *T, spell func(T) []string) option {
	return option{
		attribute: attribute,
		encode:    func(o Outer) []byte { return encodeNumber(*field(&o), order) },
		decode:    func(o *Outer, v []byte) { *field(o) = decodeNumber[T](v, order) },
		words:     func(o Outer) []string { return spell(*field(&o)) },
		unsaid:    func(o Outer) bool { return *field(&o) == def },
	}
}

func encodeNumber[T ~uint8 | ~uint16 | ~uint32](n T, order binary.ByteOrder) []byte {
	b, err := binary.Append(nil, order, n)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", n, err)) // none of these types has no size
	}
	return b
}

func decodeNumber[T ~uint8 | ~uint16 | ~uint32](v []byte, order binary.ByteOrder) T {
	var n T
	if _, err := binary.Decode(v, order, &n); err != nil {
		return 0 // shorter than the kernel writes it
	}
	return n
}

// boolOption is a number that is 0 or 1, or the other way round if not is set. on and off
// are the words for the field.
func boolOption(attribute uint16, on, off string, def, not bool, field func(*Outer) *bool) option {
	return option{
		attribute: attribute,
		encode:    func(o Outer) []byte { return boolean(*field(&o) != not) },
		decode:    func(o *Outer, v []byte) { *field(o) = (number(v) != 0) != not },
		words: func(o Outer) []string {
			if *field(&o) {
				return []string{on}
			}
			return []string{off}
		},
		unsaid: func(o Outer) bool { return *field(&o) == def },
	}
}

// named spells a number behind a word.
func named[T ~uint8 | ~uint16 | ~uint32](word string) func(T) []string {
	return func(n T) []string { return []string{word, strconv.FormatUint(uint64(n), 10)} }
}
