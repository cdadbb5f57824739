package nft

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"weft/internal/nlmsg"
)

// Barrier is a chain of somebody else's that drops what the host forwards unless a rule accepts
// it. iptables -P FORWARD DROP makes one, which Docker says on every host.
type Barrier struct {
	Family       Family
	Table, Chain string
	// user is the chain of the table in which Docker leaves room for other people's rules.
	user string
}

// The families of tables, beside INet, whose chains see what a host forwards.
const (
	ip4 Family = unix.NFPROTO_IPV4
	ip6 Family = unix.NFPROTO_IPV6
)

// dockerUser is Docker's chain for rules of others (https://docs.docker.com/engine/network/packet-filtering-firewalls).
const dockerUser = "DOCKER-USER"

// String is what people know the chain by.
func (b Barrier) String() string {
	if tool := b.iptables(); tool != "" {
		return fmt.Sprintf("%s -P %s DROP", tool, b.Chain)
	}
	return fmt.Sprintf("chain %s of nft table %s %s", b.Chain, b.Family, b.Table)
}

// Opening are the commands that have it accept what comes in by a device, or goes out.
func (b Barrier) Opening(device string) []string {
	if tool := b.iptables(); tool != "" {
		chain := b.Chain
		if b.user != "" {
			chain = b.user
		}
		return []string{fmt.Sprintf("%s -I %s -i %s -j ACCEPT", tool, chain, device), fmt.Sprintf("%s -I %s -o %s -j ACCEPT", tool, chain, device)}
	}
	rule := fmt.Sprintf("nft insert rule %s %s %s", b.Family, b.Table, b.Chain)
	return []string{fmt.Sprintf("%s iifname %s accept", rule, device), fmt.Sprintf("%s oifname %s accept", rule, device)}
}

// iptables is the tool whose table it is, if it is one of those.
func (b Barrier) iptables() string {
	switch {
	case b.Table != "filter" || b.Chain != "FORWARD":
	case b.Family == ip4:
		return "iptables"
	case b.Family == ip6:
		return "ip6tables"
	}
	return ""
}

// Barriers are, for each device, the barriers of a version of IP in whose tables no rule has
// anything but a drop in store for what names the device. Such a rule may be for some of its
// packets alone: who wrote it knows.
func (c *Conn) Barriers(v6 bool, devices []string) (map[string][]Barrier, error) {
	for tries := 0; ; tries++ {
		all, err := c.barriers(v6, devices)
		if err == nil || !errors.Is(err, errInterrupted) || tries == maxTries {
			return all, err
		}
	}
}

func (c *Conn) barriers(v6 bool, devices []string) (map[string][]Barrier, error) {
	var found []Barrier
	user := map[string]bool{}
	own := ip4
	if v6 {
		own = ip6
	}
	for _, f := range []Family{own, INet} {
		if err := c.dump(unix.NFT_MSG_GETCHAIN, f, nil, func(f Family, attrs []byte) {
			b, drops := barrierOf(f, attrs)
			if drops {
				found = append(found, b)
			}
			if b.Chain == dockerUser && f == own {
				user[b.Table] = true
			}
		}); err != nil {
			return nil, err
		}
	}
	all := map[string][]Barrier{}
	for _, b := range found {
		if b.Family == own && user[b.Table] {
			b.user = dockerUser
		}
		named, err := c.named(b, devices)
		if err != nil {
			return nil, err
		}
		for _, d := range devices {
			if !named[d] {
				all[d] = append(all[d], b)
			}
		}
	}
	return all, nil
}

// barrierOf reads a chain, and reports whether it is a barrier.
func barrierOf(f Family, attrs []byte) (b Barrier, drops bool) {
	b.Family = f
	forwards := false
	nlmsg.Attributes(attrs, func(kind uint16, v []byte) {
		switch kind {
		case unix.NFTA_CHAIN_TABLE:
			b.Table = nlmsg.Text(v)
		case unix.NFTA_CHAIN_NAME:
			b.Chain = nlmsg.Text(v)
		case unix.NFTA_CHAIN_POLICY:
			drops = number(v) != acceptCode
		case unix.NFTA_CHAIN_HOOK:
			nlmsg.Attributes(v, func(kind uint16, v []byte) {
				forwards = forwards || kind == unix.NFTA_HOOK_HOOKNUM && number(v) == unix.NF_INET_FORWARD
			})
		}
	})
	return b, forwards && drops && b.Table != TableName
}

// named are the devices that rules of a barrier's table name and do not drop; all, if its chain
// accepts everything.
func (c *Conn) named(b Barrier, devices []string) (map[string]bool, error) {
	named := map[string]bool{}
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
		if table != b.Table {
			return
		}
		for _, d := range devices {
			names, conditions := c.namedIn(expressions, d)
			named[d] = named[d] || names || !conditions && chain == b.Chain && accepts(expressions)
		}
	})
	if errors.Is(err, unix.ENOENT) {
		err = nil // it has gone meanwhile
	}
	return named, err
}

// namedIn reports whether a rule is about a device, by its name or number, and does anything but
// drop; and whether it has any condition.
func (c *Conn) namedIn(expressions [][]byte, device string) (names, conditions bool) {
	var key uint32
	drops := false
	for _, x := range expressions {
		name, data := split(x)
		switch name {
		case "meta":
			key = number(attribute(data, unix.NFTA_META_KEY))
		case "cmp":
			conditions = true
			names = names || number(attribute(data, unix.NFTA_CMP_OP)) == unix.NFT_CMP_EQ &&
				c.isDevice(key, attribute(attribute(data, unix.NFTA_CMP_DATA), unix.NFTA_DATA_VALUE), device)
		case "lookup":
			conditions = true
			names = names || slices.Contains(deviceKeys, key) // a set may have it
		case "immediate":
			drops = drops || verdictOf(attribute(data, unix.NFTA_IMMEDIATE_DATA)) == dropVerdict
		case "counter", "log":
		default:
			conditions = true
		}
	}
	return names && !drops, conditions
}

// deviceKeys are what a rule knows devices by.
var deviceKeys = []uint32{unix.NFT_META_IIFNAME, unix.NFT_META_OIFNAME, unix.NFT_META_IIF, unix.NFT_META_OIF}

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

// split is an expression's name and what belongs to it.
func split(expression []byte) (name string, data []byte) {
	return nlmsg.Text(attribute(expression, unix.NFTA_EXPR_NAME)), attribute(expression, unix.NFTA_EXPR_DATA)
}

// attribute is one among those in b; empty if it is not there.
func attribute(b []byte, want uint16) (value []byte) {
	nlmsg.Attributes(b, func(kind uint16, v []byte) {
		if kind == want {
			value = v
		}
	})
	return value
}
