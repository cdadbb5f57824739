package kernel

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/vishvananda/netlink/nl"

	"weft/overlay"
)

// deviceWords are ip link's of Outer.Device, whose attribute is the kind's.
var deviceWords = option{
	encode: func(Outer) []byte { return nil },
	decode: func(*Outer, []byte) {},
	words:  func(o Outer) []string { return []string{"dev", o.Device} },
	unsaid: func(o Outer) bool { return o.Device == "" },
}

// sourcePorts is struct ifla_vxlan_port_range (linux/if_link.h).
var sourcePorts = option{
	attribute: nl.IFLA_VXLAN_PORT_RANGE,
	encode: func(o Outer) []byte {
		return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, o.SourcePorts.Low), o.SourcePorts.High)
	},
	decode: func(o *Outer, v []byte) {
		if len(v) == 4 {
			o.SourcePorts = overlay.PortRange{Low: binary.BigEndian.Uint16(v), High: binary.BigEndian.Uint16(v[2:])}
		}
	},
	words: func(o Outer) []string {
		return []string{"srcport", strconv.Itoa(int(o.SourcePorts.Low)), strconv.Itoa(int(o.SourcePorts.High))}
	},
	unsaid: func(o Outer) bool { return o.SourcePorts == overlay.PortRange{} },
}

// vxlanInherit is a flag that is told as a number.
var vxlanInherit = option{
	attribute: vxlanTTLInherit,
	encode: func(o Outer) []byte {
		if !o.InheritTTL {
			return nil
		}
		return []byte{}
	},
	decode: func(o *Outer, v []byte) { o.InheritTTL = len(v) == 0 || number(v) != 0 },
	words:  func(Outer) []string { return []string{"ttl", "inherit"} },
	unsaid: func(o Outer) bool { return !o.InheritTTL },
}

// geneveInherit stands in the place of a TTL.
var geneveInherit = func() option {
	p := boolOption(nl.IFLA_GENEVE_TTL_INHERIT, "inherit", "auto", false, false, func(o *Outer) *bool { return &o.InheritTTL })
	spell := p.words
	p.words = func(o Outer) []string { return append([]string{"ttl"}, spell(o)...) }
	inherits := p.encode
	p.encode = func(o Outer) []byte {
		if !o.InheritTTL {
			return nil // it would have the kernel take no notice of the TTL
		}
		return inherits(o)
	}
	p.instead = true
	return p
}()

// geneveTTL is of no account beside geneveInherit.
var geneveTTL = func() option {
	p := numberOption(nl.IFLA_GENEVE_TTL, binary.NativeEndian, 0, outerTTL, named[uint8]("ttl"))
	number := p.encode
	p.encode = func(o Outer) []byte {
		if o.InheritTTL {
			return nil
		}
		return number(o)
	}
	p.unsaid = func(o Outer) bool { return o.InheritTTL || o.TTL == 0 }
	p.forget = func(o *Outer) {
		if o.InheritTTL {
			o.TTL = 0
		}
	}
	p.instead = true
	return p
}()

// over is an option of links over one underlay family.
func over(f overlay.Family, p option) option {
	mine := func(o Outer) bool { return o.Remote.Is6() == (f == overlay.V6) }
	encode, unsaid := p.encode, p.unsaid
	p.encode = func(o Outer) []byte {
		if !mine(o) {
			return nil
		}
		return encode(o)
	}
	p.unsaid = func(o Outer) bool { return !mine(o) || unsaid(o) }
	p.forget = func(o *Outer) {
		if !mine(*o) {
			p.decode(o, encode(Outer{}))
		}
	}
	return p
}

// keyOption is a key of GRE's. The flags' words say it.
func keyOption(attribute uint16, key func(*Outer) *overlay.GREKey) option {
	return numberOption(attribute, binary.BigEndian, 0, key, func(overlay.GREKey) []string { return nil })
}

// greFlags are both directions' flags, in the words of the first of the two attributes.
var greFlags = func() []option {
	in := numberOption(nl.IFLA_GRE_IFLAGS, binary.BigEndian, 0, func(o *Outer) *GREFlags { return &o.InFlags }, func(GREFlags) []string { return nil })
	out := numberOption(nl.IFLA_GRE_OFLAGS, binary.BigEndian, 0, func(o *Outer) *GREFlags { return &o.OutFlags }, func(GREFlags) []string { return nil })
	in.words = func(o Outer) []string {
		words := keyWords(o)
		words = append(words, flagWords(o, GREChecksum, "csum")...)
		return append(words, flagWords(o, GRESequence, "seq")...)
	}
	in.unsaid = func(o Outer) bool { return o.InFlags == 0 && o.OutFlags == 0 }
	in.cleared = func(o, have Outer) []string {
		gone := Outer{InFlags: have.InFlags &^ o.InFlags, OutFlags: have.OutFlags &^ o.OutFlags}
		var words []string
		for _, f := range []struct {
			flag GREFlags
			word string
		}{{GREKeyed, "key"}, {GREChecksum, "csum"}, {GRESequence, "seq"}} {
			for _, w := range flagWords(gone, f.flag, f.word) {
				words = append(words, "no"+w)
			}
		}
		return words
	}
	return []option{in, out}
}()

// flagWords spell a flag of GRE's: csum for both directions, icsum and ocsum for one.
func flagWords(o Outer, flag GREFlags, word string) []string {
	switch in, out := o.InFlags&flag != 0, o.OutFlags&flag != 0; {
	case in && out:
		return []string{word}
	case in:
		return []string{"i" + word}
	case out:
		return []string{"o" + word}
	}
	return nil
}

// keyWords spell the keys.
func keyWords(o Outer) (words []string) {
	in, out := o.InFlags&GREKeyed != 0, o.OutFlags&GREKeyed != 0
	if in && out && o.InKey == o.OutKey {
		return []string{"key", o.InKey.String()}
	}
	if in {
		words = append(words, "ikey", o.InKey.String())
	}
	if out {
		words = append(words, "okey", o.OutKey.String())
	}
	return words
}

// tosWords spell a TOS.
func tosWords(word string) func(uint8) []string {
	return func(n uint8) []string {
		if n == inheritTOS {
			return []string{word, "inherit"}
		}
		return []string{word, fmt.Sprintf("0x%02x", n)}
	}
}

// inheritWords spell a TTL, 0 of which is the inner packet's.
func inheritWords(word string) func(uint8) []string {
	return func(n uint8) []string {
		if n == 0 {
			return []string{word, "inherit"}
		}
		return []string{word, strconv.Itoa(int(n))}
	}
}

// modeWords4 spell what is inside an ipip or a sit link's packets: without them ip link lets
// everything in.
func modeWords4(protocol uint8) []string {
	switch protocol {
	case 4:
		return []string{"mode", "ipip"}
	case 41:
		return []string{"mode", "ip6ip"}
	}
	return []string{"mode", "any"}
}

// modeWords spell what is inside an ip6tnl link's packets.
func modeWords(protocol uint8) []string {
	switch protocol {
	case 4:
		return []string{"mode", "ipip6"}
	case 41:
		return []string{"mode", "ip6ip6"}
	}
	return []string{"mode", "any"}
}

// Flags of tunnels over IPv6 (linux/ip6_tunnel.h).
const (
	ip6IgnoreEncapLimit = 0x1
	ip6InheritClass     = 0x2
	// ip6Told are those that somebody has set; the kernel keeps its own beside them.
	ip6Told = 0xffff
)

// ip6Common are the options of tunnels over IPv6. What is one thing to Weft is in two
// attributes: the traffic class in a flag and in the flow information (RFC 8200 section 3).
func ip6Common(hops, flow, flags uint16) []option {
	class := func(o Outer) uint32 {
		if o.TOS == inheritTOS {
			return 0
		}
		return uint32(o.TOS) << 20
	}
	return []option{
		numberOption(hops, binary.NativeEndian, 64, outerTTL, named[uint8]("hoplimit")),
		{
			attribute: flow,
			encode:    func(o Outer) []byte { return encodeNumber(class(o), binary.BigEndian) },
			decode: func(o *Outer, v []byte) {
				n := decodeNumber[uint32](v, binary.BigEndian)
				o.Odd = o.Odd || n&0xf00fffff != 0
				if o.TOS != inheritTOS {
					o.TOS = uint8(n >> 20)
				}
			},
			words:  func(o Outer) []string { return tosWords("tclass")(o.TOS) },
			unsaid: func(o Outer) bool { return o.TOS == 0 },
		},
		{
			attribute: flags,
			encode: func(o Outer) []byte {
				var n uint32
				if !o.EncapLimit {
					n |= ip6IgnoreEncapLimit
				}
				if o.TOS == inheritTOS {
					n |= ip6InheritClass
				}
				return encodeNumber(n, binary.NativeEndian)
			},
			decode: func(o *Outer, v []byte) {
				n := decodeNumber[uint32](v, binary.NativeEndian) & ip6Told
				o.EncapLimit = n&ip6IgnoreEncapLimit == 0
				if n&ip6InheritClass != 0 {
					o.TOS = inheritTOS
				}
				o.Odd = o.Odd || n&^(ip6IgnoreEncapLimit|ip6InheritClass) != 0
			},
			words:  func(Outer) []string { return []string{"encaplimit", "none"} },
			unsaid: func(o Outer) bool { return o.EncapLimit },
		},
	}
}
