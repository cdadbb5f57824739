package nft

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"weft/internal/nlmsg"
)

// ways are the directions in which what is forwarded passes a device, and what of them has a way
// through a barrier.
type ways struct{ in, out bool }

func (w ways) or(o ways) ways { return ways{w.in || o.in, w.out || o.out} }

// named are the directions of devices that rules of a barrier's table name and let go on; both, if
// its chain accepts everything.
func (c *Conn) named(b Barrier, devices []string) (map[string]ways, error) {
	named := map[string]ways{}
	var rules [][][]byte
	var filter attributes
	filter.text(unix.NFTA_RULE_TABLE, b.Table)
	err := c.dump(unix.NFT_MSG_GETRULE, b.Family, filter, func(_ Family, attrs []byte) {
		var table, chain string
		var expressions [][]byte
		nlmsg.Attributes(attrs, func(kind uint16, v []byte) {
			switch kind {
			case unix.NFTA_RULE_TABLE:
				table = nlmsg.Text(v)
			case unix.NFTA_RULE_CHAIN:
				chain = nlmsg.Text(v)
			case unix.NFTA_RULE_EXPRESSIONS:
				expressions = expressionsOf(v)
			}
		})
		if table != b.Table || !lets(expressions) {
			return
		}
		rules = append(rules, expressions)
		if chain == b.Chain && accepts(expressions) && !slices.ContainsFunc(expressions, isCondition) {
			for _, d := range devices {
				named[d] = ways{true, true}
			}
		}
	})
	if err != nil && !errors.Is(err, unix.ENOENT) { // which says that it has gone meanwhile
		return nil, err
	}
	for _, expressions := range rules {
		for _, d := range devices {
			w, err := c.namedIn(b, expressions, d)
			if err != nil {
				return nil, err
			}
			named[d] = named[d].or(w)
		}
	}
	return named, nil
}

// namedIn are the directions of a device which a rule is about: by the device's name, by its
// number, or by a set that has one of the two, also beside others.
func (c *Conn) namedIn(b Barrier, expressions [][]byte, device string) (w ways, err error) {
	var keys []uint32 // that were read and not compared yet
	for _, x := range expressions {
		switch name, data := split(x); name {
		case "meta":
			keys = append(keys, number(attribute(data, unix.NFTA_META_KEY)))
		case "cmp":
			if number(attribute(data, unix.NFTA_CMP_OP)) == unix.NFT_CMP_EQ {
				w = w.or(c.waysOf(keys, attribute(attribute(data, unix.NFTA_CMP_DATA), unix.NFTA_DATA_VALUE), device))
			}
			keys = nil
		case "lookup":
			if not := number(attribute(data, unix.NFTA_LOOKUP_FLAGS)) != 0; !not && len(keys) > 0 {
				in, err := c.waysIn(b, nlmsg.Text(attribute(data, unix.NFTA_LOOKUP_SET)), keys, device)
				if err != nil {
					return w, err
				}
				w = w.or(in)
			}
			keys = nil
		}
	}
	return w, nil
}

// waysIn are those of a device that a set of a barrier's table, or a map, has.
func (c *Conn) waysIn(b Barrier, set string, keys []uint32, device string) (w ways, err error) {
	var filter attributes
	filter.text(unix.NFTA_SET_ELEM_LIST_TABLE, b.Table)
	filter.text(unix.NFTA_SET_ELEM_LIST_SET, set)
	err = c.dump(unix.NFT_MSG_GETSETELEM, b.Family, filter, func(_ Family, attrs []byte) {
		nlmsg.Attributes(attribute(attrs, unix.NFTA_SET_ELEM_LIST_ELEMENTS), func(_ uint16, element []byte) {
			w = w.or(c.waysOf(keys, attribute(attribute(element, unix.NFTA_SET_ELEM_KEY), unix.NFTA_DATA_VALUE), device))
		})
	})
	if errors.Is(err, unix.ENOENT) {
		err = nil // it has gone meanwhile
	}
	return w, err
}

// waysOf are those of a device that a value means which is compared with the keys, one after the
// other. Of keys that are no devices' the length is not known.
func (c *Conn) waysOf(keys []uint32, value []byte, device string) (w ways) {
	for _, key := range keys {
		if len(value) == 0 {
			return w // of all others, in a set
		}
		size := min(len(value), 4)
		switch key {
		case unix.NFT_META_IIFNAME, unix.NFT_META_OIFNAME:
			size = min(len(value), unix.IFNAMSIZ)
		case unix.NFT_META_IIF, unix.NFT_META_OIF:
		default:
			return w
		}
		if c.isDevice(key, value[:size], device) {
			incoming := key == unix.NFT_META_IIFNAME || key == unix.NFT_META_IIF
			w = w.or(ways{incoming, !incoming})
		}
		value = value[size:]
	}
	return w
}

// lets reports whether a rule has a verdict, also one from a map, that is no drop: it accepts, or
// goes on to another chain.
func lets(expressions [][]byte) bool {
	return slices.ContainsFunc(expressions, func(x []byte) bool {
		switch name, data := split(x); name {
		case "immediate":
			v := verdictOf(attribute(data, unix.NFTA_IMMEDIATE_DATA))
			return v != dropVerdict && v != ""
		case "lookup":
			return number(attribute(data, unix.NFTA_LOOKUP_DREG)) == unix.NFT_REG_VERDICT && len(attribute(data, unix.NFTA_LOOKUP_DREG)) > 0
		}
		return false
	})
}

// isCondition reports whether an expression may have a rule not apply.
func isCondition(x []byte) bool {
	name, _ := split(x)
	return !slices.Contains([]string{"meta", "immediate", "counter", "log"}, name)
}

// isDevice reports whether a rule that compares with value means the device: names end with a
// zero, unless they are the beginning of one.
func (c *Conn) isDevice(key uint32, value []byte, device string) bool {
	switch key {
	case unix.NFT_META_IIFNAME, unix.NFT_META_OIFNAME:
		beginning, _, whole := bytes.Cut(value, []byte{0})
		if whole {
			return string(beginning) == device
		}
		return strings.HasPrefix(device, string(value))
	case unix.NFT_META_IIF, unix.NFT_META_OIF:
		i, err := c.index(device)
		return err == nil && len(value) == 4 && binary.NativeEndian.Uint32(value) == uint32(i)
	}
	return false
}

// accepts reports whether a rule accepts.
func accepts(expressions [][]byte) bool {
	return slices.ContainsFunc(expressions, func(x []byte) bool {
		name, data := split(x)
		return name == "immediate" && verdictOf(attribute(data, unix.NFTA_IMMEDIATE_DATA)) == acceptVerdict
	})
}
