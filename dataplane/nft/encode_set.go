package nft

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

// set adds a set's definition.
func (m *message) set(name string, s Set, id uint32) {
	m.named(unix.NFTA_SET_TABLE, unix.NFTA_SET_NAME, name)
	m.number(unix.NFTA_SET_FLAGS, s.flags())
	m.number(unix.NFTA_SET_KEY_TYPE, s.Key.number())
	m.number(unix.NFTA_SET_KEY_LEN, uint32(s.Key.length()))
	if s.Value != noKind {
		m.number(unix.NFTA_SET_DATA_TYPE, kinds[s.Value].number)
		m.number(unix.NFTA_SET_DATA_LEN, uint32(kinds[s.Value].length))
	}
	if s.Dynamic {
		m.number64(unix.NFTA_SET_TIMEOUT, dynamicTimeout*1000)
		m.nest(unix.NFTA_SET_DESC, func(a *attributes) { a.number(unix.NFTA_SET_DESC_SIZE, dynamicSize) })
	}
	m.number(unix.NFTA_SET_ID, id)
	m.bytes(unix.NFTA_SET_USERDATA, s.notes()...)
}

// flags are the kernel's (enum nft_set_flags).
func (s Set) flags() (flags uint32) {
	if s.Prefixes {
		flags |= unix.NFT_SET_INTERVAL
	}
	if s.Value != noKind {
		flags |= unix.NFT_SET_MAP
	}
	if s.Dynamic {
		flags |= unix.NFT_SET_EVAL | unix.NFT_SET_TIMEOUT
	}
	return flags
}

// number is nft's own number of the key's type: six bits for each part (nftables,
// include/datatype.h).
func (k Key) number() uint32 {
	var n uint32
	for _, f := range k.list() {
		n = n<<6 | kinds[fields[f].kind].number
	}
	return n
}

// notes is what nft(8) keeps in the kernel for itself, so that it can read the set
// again: the order of bytes in values, and for a raw key the expressions it is of
// (libnftnl, include/libnftnl/udata.h; nftables, src/mnl.c and the *_build_udata).
func (s Set) notes() []byte {
	var n notes
	order := uint32(byteOrderBig)
	switch {
	case s.Key[1] != noField:
		order = byteOrderNone
	case fields[s.Key[0]].kind == ifname:
		order = byteOrderHost
	}
	n.number(noteKeyOrder, order)
	switch {
	case s.Value == noKind:
	case s.Value == verdict:
		n.number(noteDataOrder, byteOrderNone)
	default:
		n.number(noteDataOrder, byteOrderBig)
	}
	if s.Key.isRaw() {
		n.nest(noteKeyTypeof, func(n *notes) { n.typeof(s.Key) })
		if s.Value == verdict {
			n.nest(noteDataTypeof, func(n *notes) {
				n.number(noteExpression, expressionVerdict)
				n.nest(noteExpressionData, func(*notes) {})
			})
		}
	}
	if s.Value != noKind {
		n.number(noteDataInterval, 0)
	}
	return n
}

const (
	noteKeyOrder     = 0
	noteDataOrder    = 1
	noteKeyTypeof    = 3
	noteDataTypeof   = 4
	noteDataInterval = 6

	noteExpression     = 0
	noteExpressionData = 1

	byteOrderNone = 0
	byteOrderHost = 1
	byteOrderBig  = 2

	expressionVerdict = 1
	expressionPayload = 7
	expressionMeta    = 9
	expressionConcat  = 13
)

// notes are TLVs of one byte, one byte and the value.
type notes []byte

func (n *notes) bytes(kind byte, value []byte) {
	*n = append(*n, kind, byte(len(value)))
	*n = append(*n, value...)
}

func (n *notes) number(kind byte, v uint32) { n.bytes(kind, binary.NativeEndian.AppendUint32(nil, v)) }

func (n *notes) nest(kind byte, f func(*notes)) {
	var inner notes
	f(&inner)
	n.bytes(kind, inner)
}

// typeof writes the expressions of a key of several fields.
func (n *notes) typeof(k Key) {
	n.number(noteExpression, expressionConcat)
	n.nest(noteExpressionData, func(n *notes) {
		for i, f := range k.list() {
			n.nest(byte(i), func(n *notes) { n.expression(f) })
		}
	})
}

func (n *notes) expression(f Field) {
	d := fields[f]
	if d.header == meta {
		n.number(noteExpression, expressionMeta)
		n.nest(noteExpressionData, func(n *notes) { n.number(0, uint32(d.offset)) })
		return
	}
	n.number(noteExpression, expressionPayload)
	n.nest(noteExpressionData, func(n *notes) {
		if f == UDPDestination {
			n.number(0, 6) // PROTO_DESC_UDP
			n.number(1, 2) // UDPHDR_DPORT
			return
		}
		n.number(0, 0)                  // no protocol's
		n.number(1, 0)                  // nor template
		n.number(2, uint32(d.header)+1) // enum proto_bases
		n.number(3, uint32(d.offset)*8)
		n.number(4, uint32(d.length)*8)
	})
}

// elements adds elements, with their values if they are to be added.
func (m *message) elements(s Set, values bool) {
	m.nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS, func(a *attributes) {
		for _, k := range sortedKeys(s.Elements) {
			value := s.Elements[k]
			if !values || s.Value == noKind {
				value = ""
			}
			if s.Prefixes {
				a.interval(prefixOf(k), s.Value, value)
				continue
			}
			a.element(k, 0, s.Value, value)
		}
	})
}

// interval adds a prefix as where it begins and where it ends.
func (a *attributes) interval(p netip.Prefix, kind kind, value string) {
	a.element(addressBytes(p.Addr()), 0, kind, value)
	if end, ok := behind(p); ok {
		a.element(addressBytes(end), unix.NFT_SET_ELEM_INTERVAL_END, noKind, "")
	}
}

// behind is the first address after a prefix; false if there is none.
func behind(p netip.Prefix) (netip.Addr, bool) {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits() - 1; i >= 0; i-- {
		b[i/8] ^= 0x80 >> (i % 8)
		if b[i/8]&(0x80>>(i%8)) != 0 {
			a, _ := netip.AddrFromSlice(b)
			return a, true
		}
	}
	return netip.Addr{}, false
}

func (a *attributes) element(key string, flags uint32, kind kind, value string) {
	a.nest(unix.NFTA_LIST_ELEM, func(a *attributes) {
		if flags != 0 {
			a.number(unix.NFTA_SET_ELEM_FLAGS, flags)
		}
		a.nest(unix.NFTA_SET_ELEM_KEY, func(a *attributes) { a.bytes(unix.NFTA_DATA_VALUE, []byte(key)...) })
		switch {
		case value == "":
		case kind == verdict:
			a.nest(unix.NFTA_SET_ELEM_DATA, func(a *attributes) { a.verdict(Verdict(value)) })
		default:
			a.nest(unix.NFTA_SET_ELEM_DATA, func(a *attributes) { a.bytes(unix.NFTA_DATA_VALUE, []byte(value)...) })
		}
	})
}

// verdict adds one as data.
func (a *attributes) verdict(v Verdict) {
	a.nest(unix.NFTA_DATA_VERDICT, func(a *attributes) {
		word, _, _ := strings.Cut(string(v), " ")
		a.number(unix.NFTA_VERDICT_CODE, uint32(verdicts[word]))
		if chain := v.chain(); chain != "" {
			a.text(unix.NFTA_VERDICT_CHAIN, chain)
		}
	})
}

// acceptCode is NF_ACCEPT (linux/netfilter.h).
const acceptCode = 1

// verdicts are the numbers of verdicts by their words.
var verdicts = map[string]int32{
	acceptVerdict: acceptCode, dropVerdict: 0,
	strings.TrimSpace(gotoVerdict): unix.NFT_GOTO, strings.TrimSpace(jumpVerdict): unix.NFT_JUMP,
}
