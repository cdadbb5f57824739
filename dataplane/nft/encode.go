package nft

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// message is one of nf_tables' messages: a number without the subsystem's, flags
// beside those that all have, and attributes.
type message struct {
	kind   int
	flags  int
	family Family
	attributes
}

// encoder turns commands into messages.
type encoder struct {
	// index finds a device's.
	index func(device string) (int, error)
	// sets counts sets: each has a number in its transaction.
	sets uint32
}

func (e *encoder) encode(c Command) (message, error) {
	m := message{family: c.Family}
	switch c.Verb {
	case addVerb:
		m.flags = unix.NLM_F_CREATE
		return m, e.add(&m, c)
	case deleteVerb:
		return m, e.delete(&m, c)
	case flushVerb:
		m.kind = unix.NFT_MSG_DELRULE
		m.named(unix.NFTA_RULE_TABLE, unix.NFTA_RULE_CHAIN, c.Name)
		return m, nil
	}
	return m, unknown(c)
}

func unknown(c Command) error {
	return fmt.Errorf("nft %s %s: there is no such command", c.Verb, c.What)
}

// named adds the table and a name in it.
func (m *message) named(table, kind int, name string) {
	m.text(table, TableName)
	m.text(kind, name)
}

func (e *encoder) add(m *message, c Command) error {
	switch c.What {
	case "table":
		m.kind = unix.NFT_MSG_NEWTABLE
		m.text(unix.NFTA_TABLE_NAME, TableName)
		m.number(unix.NFTA_TABLE_FLAGS, 0)
	case "counter":
		m.kind = unix.NFT_MSG_NEWOBJ
		m.named(unix.NFTA_OBJ_TABLE, unix.NFTA_OBJ_NAME, c.Name)
		m.number(unix.NFTA_OBJ_TYPE, unix.NFT_OBJECT_COUNTER)
		m.nest(unix.NFTA_OBJ_DATA, func(a *attributes) {
			a.bytes(unix.NFTA_COUNTER_BYTES, make([]byte, 8)...)
			a.bytes(unix.NFTA_COUNTER_PACKETS, make([]byte, 8)...)
		})
	case "set", "map":
		m.kind = unix.NFT_MSG_NEWSET
		e.sets++
		m.set(c.Name, c.Set, e.sets)
	case "element":
		m.kind = unix.NFT_MSG_NEWSETELEM
		m.named(unix.NFTA_SET_ELEM_LIST_TABLE, unix.NFTA_SET_ELEM_LIST_SET, c.Name)
		m.elements(c.Set, true)
	case "chain":
		m.kind = unix.NFT_MSG_NEWCHAIN
		m.named(unix.NFTA_CHAIN_TABLE, unix.NFTA_CHAIN_NAME, c.Name)
		return m.hook(c.Family, c.Hook)
	case "rule":
		m.kind = unix.NFT_MSG_NEWRULE
		m.flags |= unix.NLM_F_APPEND
		m.named(unix.NFTA_RULE_TABLE, unix.NFTA_RULE_CHAIN, c.Name)
		expressions, err := e.rule(c.Family, c.Rule)
		m.nest(unix.NFTA_RULE_EXPRESSIONS, func(a *attributes) {
			for _, x := range expressions {
				a.bytes(unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, x...)
			}
		})
		return err
	default:
		return unknown(c)
	}
	return nil
}

func (e *encoder) delete(m *message, c Command) error {
	switch c.What {
	case "table":
		m.kind = unix.NFT_MSG_DELTABLE
		m.text(unix.NFTA_TABLE_NAME, TableName)
	case "counter":
		m.kind = unix.NFT_MSG_DELOBJ
		m.named(unix.NFTA_OBJ_TABLE, unix.NFTA_OBJ_NAME, c.Name)
		m.number(unix.NFTA_OBJ_TYPE, unix.NFT_OBJECT_COUNTER)
	case "set", "map":
		m.kind = unix.NFT_MSG_DELSET
		m.named(unix.NFTA_SET_TABLE, unix.NFTA_SET_NAME, c.Name)
	case "element":
		m.kind = unix.NFT_MSG_DELSETELEM
		m.named(unix.NFTA_SET_ELEM_LIST_TABLE, unix.NFTA_SET_ELEM_LIST_SET, c.Name)
		m.elements(c.Set, false)
	case "chain":
		m.kind = unix.NFT_MSG_DELCHAIN
		m.named(unix.NFTA_CHAIN_TABLE, unix.NFTA_CHAIN_NAME, c.Name)
	default:
		return unknown(c)
	}
	return nil
}

// hooks are the numbers of the hooks, by family.
var hooks = map[Family]map[string]uint32{
	INet:   {"prerouting": unix.NF_INET_PRE_ROUTING, "input": unix.NF_INET_LOCAL_IN, "output": unix.NF_INET_LOCAL_OUT},
	Bridge: {"prerouting": 0, "forward": 2}, // NF_BR_PRE_ROUTING, NF_BR_FORWARD
	Netdev: {"ingress": unix.NF_NETDEV_INGRESS},
}

func (m *message) hook(f Family, h Hook) error {
	if h == (Hook{}) {
		return nil
	}
	hook, ok := hooks[f][h.Name]
	if !ok {
		return fmt.Errorf("family %s has no hook %s", f, h.Name)
	}
	m.text(unix.NFTA_CHAIN_TYPE, "filter")
	m.number(unix.NFTA_CHAIN_POLICY, acceptCode)
	m.nest(unix.NFTA_CHAIN_HOOK, func(a *attributes) {
		a.number(unix.NFTA_HOOK_HOOKNUM, hook)
		a.number(unix.NFTA_HOOK_PRIORITY, uint32(h.Priority))
		if h.Device != "" {
			a.text(unix.NFTA_HOOK_DEV, h.Device)
		}
	})
	return nil
}
