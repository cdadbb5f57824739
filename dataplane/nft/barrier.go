package nft

import (
	"errors"
	"fmt"

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
// anything but a drop in store for what comes in by the device, or for what goes out. Such a rule
// may be for some of its packets alone: who wrote it knows. And a rule that names no device may let
// some pass: what is said of a barrier is that it may drop.
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
			if named[d] != (ways{true, true}) {
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
