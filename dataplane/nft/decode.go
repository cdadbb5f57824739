package nft

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"weft/internal/nlmsg"
)

// canonical writes an expression in words of our own, equal for equal expressions:
// the kernel's are the ones it was given, but for the order of attributes, the
// bytes that end names, and some that stand for nothing.
func canonical(expression []byte) string {
	var name, data string
	nlmsg.Attributes(expression, func(kind uint16, v []byte) {
		switch kind {
		case unix.NFTA_EXPR_NAME:
			name = nlmsg.Text(v)
		case unix.NFTA_EXPR_DATA:
			data = canonicalData(name, v)
		}
	})
	return name + "(" + data + ")"
}

// nested says which attributes of an expression hold attributes; those of "data"
// and "verdict" are in them.
var nested = map[string]map[uint16]string{
	"cmp":       {unix.NFTA_CMP_DATA: "data"},
	"immediate": {unix.NFTA_IMMEDIATE_DATA: "data"},
	"data":      {unix.NFTA_DATA_VERDICT: "verdict"},
}

// names says which hold names.
var names = map[string]uint16{
	"lookup": unix.NFTA_LOOKUP_SET, "dynset": unix.NFTA_DYNSET_SET_NAME, "objref": unix.NFTA_OBJREF_IMM_NAME, "verdict": unix.NFTA_VERDICT_CHAIN,
}

func canonicalData(in string, b []byte) string {
	var parts []string
	nlmsg.Attributes(b, func(kind uint16, v []byte) {
		switch inner, ok := nested[in][kind]; {
		case ok:
			parts = append(parts, fmt.Sprintf("%d:(%s)", kind, canonicalData(inner, v)))
		case names[in] == kind:
			parts = append(parts, fmt.Sprintf("%d:%q", kind, nlmsg.Text(v)))
		case in == "dynset" && kind == unix.NFTA_DYNSET_EXPR:
			parts = append(parts, fmt.Sprintf("%d:%s", kind, canonical(v)))
		case meansNothing(in, kind, v):
		default:
			parts = append(parts, fmt.Sprintf("%d:%x", kind, v))
		}
	})
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// meansNothing: a set has a name beside its number; no flags are none, and no time is that
// of the set; empty attributes are padding.
func meansNothing(in string, kind uint16, v []byte) bool {
	switch in {
	case "lookup":
		return kind == unix.NFTA_LOOKUP_SET_ID || kind == unix.NFTA_LOOKUP_FLAGS && number(v) == 0
	case "dynset":
		return kind == unix.NFTA_DYNSET_SET_ID || kind == unix.NFTA_DYNSET_TIMEOUT && number64(v) == 0 || len(v) == 0
	}
	return in == "limit" && len(v) == 0
}

// code is a rule's expressions in canonical words.
func code(expressions [][]byte) string {
	var words []string
	for _, x := range expressions {
		words = append(words, canonical(x))
	}
	return strings.Join(words, " ")
}

// expressionsOf splits the attribute of a rule that has them.
func expressionsOf(b []byte) [][]byte {
	var list [][]byte
	nlmsg.Attributes(b, func(_ uint16, v []byte) { list = append(list, v) })
	return list
}

// soleVerdict is what a rule of nothing else does.
func soleVerdict(expressions [][]byte) (v Verdict, ok bool) {
	if len(expressions) != 1 {
		return "", false
	}
	nlmsg.Attributes(expressions[0], func(kind uint16, b []byte) {
		if kind != unix.NFTA_EXPR_DATA {
			return
		}
		nlmsg.Attributes(b, func(kind uint16, b []byte) {
			if kind == unix.NFTA_IMMEDIATE_DATA {
				v = verdictOf(b)
			}
		})
	})
	return v, v != ""
}

// verdictOf is the verdict in an attribute of data; empty if it is none of Weft's.
func verdictOf(b []byte) (v Verdict) {
	nlmsg.Attributes(b, func(kind uint16, b []byte) {
		if kind != unix.NFTA_DATA_VERDICT {
			return
		}
		var number32 int32
		var chain string
		nlmsg.Attributes(b, func(kind uint16, b []byte) {
			switch kind {
			case unix.NFTA_VERDICT_CODE:
				number32 = int32(number(b))
			case unix.NFTA_VERDICT_CHAIN:
				chain = nlmsg.Text(b)
			}
		})
		for word, n := range verdicts {
			if n == number32 {
				v = Verdict(strings.TrimSpace(word + " " + chain))
			}
		}
	})
	return v
}
