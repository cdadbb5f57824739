package nft

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"weft/internal/nlmsg"
)

func (o *observer) sets() error {
	err := o.inTables(unix.NFT_MSG_GETSET, unix.NFTA_SET_TABLE, func(f Family, attrs []byte) {
		var d definition
		nlmsg.Attributes(attrs, d.attribute)
		if d.flags&unix.NFT_SET_ANONYMOUS != 0 {
			return // goes with the rule that it is of
		}
		want, ok := o.want[f].Sets[d.name]
		if !ok && f == INet {
			want = sharedSets[d.name]
		}
		o.have[f].Sets[d.name] = d.set(want)
	})
	if err != nil {
		return err
	}
	for f, t := range o.have {
		for name, s := range t.Sets {
			if s.Odd || s.Dynamic {
				continue
			}
			if err := o.elements(f, name, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// definition is what the kernel says of a set.
type definition struct {
	name                                         string
	flags, keyType, keyLen, valueType, valueSize uint32
	size                                         uint32
	timeout                                      uint64 // in ms
}

func (d *definition) attribute(kind uint16, v []byte) {
	switch kind {
	case unix.NFTA_SET_NAME:
		d.name = nlmsg.Text(v)
	case unix.NFTA_SET_FLAGS:
		d.flags = number(v)
	case unix.NFTA_SET_KEY_TYPE:
		d.keyType = number(v)
	case unix.NFTA_SET_KEY_LEN:
		d.keyLen = number(v)
	case unix.NFTA_SET_DATA_TYPE:
		d.valueType = number(v)
	case unix.NFTA_SET_DATA_LEN:
		d.valueSize = number(v)
	case unix.NFTA_SET_TIMEOUT:
		d.timeout = number64(v)
	case unix.NFTA_SET_DESC:
		nlmsg.Attributes(v, func(kind uint16, v []byte) {
			if kind == unix.NFTA_SET_DESC_SIZE {
				d.size = number(v)
			}
		})
	}
}

// set is the wanted set if it is that, and else an odd one.
func (d definition) set(want Set) Set {
	if want.Key != (Key{}) && d.equals(want) {
		want.Elements = map[string]string{}
		return want
	}
	s := Set{Odd: true}
	if d.flags&unix.NFT_SET_MAP != 0 {
		s.Value = verdict
	}
	return s
}

func (d definition) equals(s Set) bool {
	var value struct{ number, length uint32 }
	if s.Dynamic && (d.size != dynamicSize || d.timeout != dynamicTimeout*1000) {
		return false
	}
	if s.Value != noKind {
		value.number, value.length = kinds[s.Value].number, uint32(kinds[s.Value].length)
	}
	if s.Value == verdict {
		value.length = d.valueSize // the kernel's own
	}
	return d.flags&^setConcat == s.flags() && d.keyType == s.Key.number() && d.keyLen == uint32(s.Key.length()) &&
		d.valueType == value.number && d.valueSize == value.length
}

// setConcat is NFT_SET_CONCAT, a flag without effect on sets like Weft's.
const setConcat = 0x80

// elements reads those of a set.
func (o *observer) elements(f Family, name string, s Set) error {
	var filter attributes
	filter.text(unix.NFTA_SET_ELEM_LIST_TABLE, TableName)
	filter.text(unix.NFTA_SET_ELEM_LIST_SET, name)
	var list []element
	err := o.dump(unix.NFT_MSG_GETSETELEM, f, filter, func(_ Family, attrs []byte) {
		nlmsg.Attributes(attrs, func(kind uint16, v []byte) {
			if kind == unix.NFTA_SET_ELEM_LIST_ELEMENTS {
				nlmsg.Attributes(v, func(_ uint16, v []byte) { list = append(list, elementOf(v)) })
			}
		})
	})
	if errors.Is(err, unix.ENOENT) {
		return errInterrupted
	}
	if s.Prefixes {
		var ok bool
		if list, ok = prefixes(list); !ok {
			s.Odd = true
			o.have[f].Sets[name] = s
		}
	}
	for _, e := range list {
		s.Elements[e.key] = e.value
	}
	return err
}

// element is one of a set, or one end of an interval.
type element struct {
	key, value string
	end        bool
}

func elementOf(b []byte) (e element) {
	nlmsg.Attributes(b, func(kind uint16, v []byte) {
		switch kind {
		case unix.NFTA_SET_ELEM_KEY:
			e.key = dataValue(v)
		case unix.NFTA_SET_ELEM_DATA:
			e.value = dataValue(v)
			if v := verdictOf(v); v != "" {
				e.value = string(v)
			}
		case unix.NFTA_SET_ELEM_FLAGS:
			e.end = number(v)&unix.NFT_SET_ELEM_INTERVAL_END != 0
		case unix.NFTA_SET_ELEM_EXPR, unix.NFTA_SET_ELEM_TIMEOUT:
			e.value += "(odd)" // none of Weft's counts or ends
		}
	})
	return e
}

// prefixes joins the ends of intervals, which do not overlap; false if one is no prefix.
func prefixes(list []element) (joined []element, ok bool) {
	slices.SortFunc(list, func(a, b element) int { return cmp.Compare(a.key, b.key) })
	for i, e := range list {
		if e.end {
			continue
		}
		next := ""
		for _, later := range list[i+1:] {
			if later.key > e.key {
				next = later.key
				break
			}
		}
		p, ok := between(e.key, next)
		if !ok {
			return nil, false
		}
		e.key = prefixBytes(p)
		joined = append(joined, e)
	}
	return joined, true
}

// between is the prefix from an address to before another one; "" is the end of all.
func between(from, to string) (netip.Prefix, bool) {
	a, ok := netip.AddrFromSlice([]byte(from))
	for bits := a.BitLen(); ok && bits >= 0; bits-- {
		p := netip.PrefixFrom(a, bits)
		if p.Masked().Addr() != a {
			break
		}
		end, more := behind(p)
		if more && addressBytes(end) == to || !more && to == "" {
			return p, true
		}
	}
	return netip.Prefix{}, false
}
