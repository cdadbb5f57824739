package nft

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"weft/internal/nlmsg"
)

// Observe reads Weft's tables. want is what should be there, or empty: what is
// wanted is recognised by being equal to it, and what is not is read as far as
// it has to be known to be deleted.
func (c *Conn) Observe(want Ruleset) (Ruleset, Counts, error) {
	for tries := 0; ; tries++ {
		o := &observer{Conn: c, want: want, have: Ruleset{}, counts: Counts{}}
		err := o.all()
		if err == nil {
			return o.have, o.counts, nil
		}
		if !errors.Is(err, errInterrupted) || tries == maxTries {
			return nil, nil, fmt.Errorf("read nft rules: %w", err)
		}
	}
}

// Counts reads the counters alone.
func (c *Conn) Counts() (Counts, error) {
	o := &observer{Conn: c, have: Ruleset{}, counts: Counts{}}
	for _, step := range []func() error{o.tables, o.counters} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("read nft counters: %w", err)
		}
	}
	return o.counts, nil
}

// maxTries to read rules that do not hold still.
const maxTries = 20

type observer struct {
	*Conn
	want, have Ruleset
	counts     Counts
}

func (o *observer) all() error {
	before, err := o.generation()
	if err != nil {
		return err
	}
	for _, step := range []func() error{o.tables, o.counters, o.sets, o.chains, o.rules} {
		if err := step(); err != nil {
			return err
		}
	}
	if after, err := o.generation(); err != nil || after != before {
		return errors.Join(err, errInterrupted)
	}
	return nil
}

// generation counts the namespace's transactions, everybody's.
func (o *observer) generation() (n uint32, err error) {
	err = o.ask(unix.NFT_MSG_GETGEN, func(_ Family, attrs []byte) {
		nlmsg.Attributes(attrs, func(kind uint16, v []byte) {
			if kind == unix.NFTA_GEN_ID {
				n = number(v)
			}
		})
	})
	return n, err
}

func (o *observer) tables() error {
	return o.dump(unix.NFT_MSG_GETTABLE, 0, nil, func(f Family, attrs []byte) {
		var name string
		var flags uint32
		nlmsg.Attributes(attrs, func(kind uint16, v []byte) {
			switch kind {
			case unix.NFTA_TABLE_NAME:
				name = nlmsg.Text(v)
			case unix.NFTA_TABLE_FLAGS:
				flags = number(v)
			}
		})
		if name != TableName || !slices.Contains(families, f) {
			return
		}
		t := o.have.table(f)
		t.Odd = flags != 0 // dormant, or owned by a process
		o.have[f] = t
		o.counts[f] = map[string]uint64{}
	})
}

// inTables dumps what Weft's tables have of something; table is its attribute for
// the table's name.
func (o *observer) inTables(kind, table int, f func(f Family, attrs []byte)) error {
	for _, family := range families {
		if _, ok := o.have[family]; !ok {
			continue
		}
		var filter attributes
		filter.text(table, TableName)
		err := o.dump(kind, family, filter, func(_ Family, attrs []byte) {
			ours := false
			nlmsg.Attributes(attrs, func(kind uint16, v []byte) { ours = ours || int(kind) == table && nlmsg.Text(v) == TableName })
			if ours {
				f(family, attrs)
			}
		})
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

func (o *observer) counters() error {
	return o.inTables(unix.NFT_MSG_GETOBJ, unix.NFTA_OBJ_TABLE, func(f Family, attrs []byte) {
		var name string
		var typ uint32
		var packets uint64
		nlmsg.Attributes(attrs, func(kind uint16, v []byte) {
			switch kind {
			case unix.NFTA_OBJ_NAME:
				name = nlmsg.Text(v)
			case unix.NFTA_OBJ_TYPE:
				typ = number(v)
			case unix.NFTA_OBJ_DATA:
				nlmsg.Attributes(v, func(kind uint16, v []byte) {
					if kind == unix.NFTA_COUNTER_PACKETS {
						packets = number64(v)
					}
				})
			}
		})
		if t := o.have[f]; typ != unix.NFT_OBJECT_COUNTER {
			t.Odd = true
			o.have[f] = t
			return
		}
		o.have[f].Counters[name] = struct{}{}
		o.counts[f][name] = packets
	})
}

func (o *observer) chains() error {
	return o.inTables(unix.NFT_MSG_GETCHAIN, unix.NFTA_CHAIN_TABLE, func(f Family, attrs []byte) {
		var name, typ string
		var hook []byte
		policy := uint32(acceptCode)
		nlmsg.Attributes(attrs, func(kind uint16, v []byte) {
			switch kind {
			case unix.NFTA_CHAIN_NAME:
				name = nlmsg.Text(v)
			case unix.NFTA_CHAIN_TYPE:
				typ = nlmsg.Text(v)
			case unix.NFTA_CHAIN_POLICY:
				policy = number(v)
			case unix.NFTA_CHAIN_HOOK:
				hook = v
			}
		})
		var c Chain
		if hook != nil {
			c.Hook = hookOf(f, hook)
			c.Odd = c.Odd || typ != "filter" || policy != acceptCode
		}
		o.have[f].Chains[name] = c
	})
}

// hookDevices is NFTA_HOOK_DEVS (linux/netfilter/nf_tables.h).
const hookDevices = 4

func hookOf(f Family, b []byte) Hook {
	h := Hook{Odd: true}
	var devices []string
	nlmsg.Attributes(b, func(kind uint16, v []byte) {
		switch kind {
		case unix.NFTA_HOOK_HOOKNUM:
			for name, n := range hooks[f] {
				if n == number(v) {
					h.Name, h.Odd = name, false
				}
			}
		case unix.NFTA_HOOK_PRIORITY:
			h.Priority = int(int32(number(v)))
		case hookDevices:
			nlmsg.Attributes(v, func(_ uint16, v []byte) { devices = append(devices, nlmsg.Text(v)) })
		case unix.NFTA_HOOK_DEV:
			h.Device = nlmsg.Text(v)
		}
	})
	switch len(devices) {
	case 0:
	case 1:
		h.Device = devices[0]
	default:
		h.Odd = true
	}
	return h
}

// rules recognises those that are wanted where they are.
func (o *observer) rules() error {
	e := o.encoder()
	wanted := func(f Family, chain string, at int) (Rule, string) {
		rules := o.want[f].Chains[chain].Rules
		if at >= len(rules) {
			return nil, ""
		}
		expressions, err := e.rule(f, rules[at])
		if err != nil {
			return nil, "" // of a device that is not there: no rule is about it
		}
		return rules[at], code(expressions)
	}
	return o.inTables(unix.NFT_MSG_GETRULE, unix.NFTA_RULE_TABLE, func(f Family, attrs []byte) {
		var chain string
		var expressions [][]byte
		nlmsg.Attributes(attrs, func(kind uint16, v []byte) {
			switch kind {
			case unix.NFTA_RULE_CHAIN:
				chain = nlmsg.Text(v)
			case unix.NFTA_RULE_EXPRESSIONS:
				expressions = expressionsOf(v)
			}
		})
		c := o.have[f].Chains[chain]
		there := code(expressions)
		rule, text := wanted(f, chain, len(c.Rules))
		if rule == nil || text != there {
			rule = Rule{Odd{there}}
			if v, ok := soleVerdict(expressions); ok {
				rule = Rule{v}
			}
		}
		c.Rules = append(c.Rules, rule)
		o.have[f].Chains[chain] = c
	})
}
