package nft

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// rule turns a rule into expressions, each as the attributes that the kernel takes.
func (e *encoder) rule(f Family, r Rule) ([][]byte, error) {
	var code [][]byte
	for _, s := range r {
		expressions, err := e.statement(s)
		if err != nil {
			return nil, err
		}
		for _, x := range expressions {
			b, err := marshal(f, x)
			if err != nil {
				return nil, fmt.Errorf("encode %s: %w", s, err)
			}
			code = append(code, b)
		}
	}
	return code, nil
}

// raw is an expression that the expr package lacks.
type raw []byte

// marshal encodes an expr.Any, or a raw one.
func marshal(f Family, x any) ([]byte, error) {
	switch x := x.(type) {
	case raw:
		return x, nil
	case expr.Any:
		return expr.Marshal(byte(f), x)
	}
	return nil, fmt.Errorf("%T is no expression", x)
}

func (e *encoder) statement(s Statement) ([]any, error) {
	switch s := s.(type) {
	case Match:
		op := expr.CmpOpEq
		if s.Above {
			op = expr.CmpOpGt
		}
		return []any{load(s.Field, 0), &expr.Cmp{Op: op, Register: register(0), Data: []byte(s.Value)}}, nil
	case Lookup:
		return append(loadKey(s.Key), &expr.Lookup{SourceRegister: register(0), SetName: s.Set, Invert: s.Not}), nil
	case Dispatch:
		return append(loadKey(s.Key), &expr.Lookup{SourceRegister: register(0), SetName: s.Map, IsDestRegSet: true}), nil
	case Count:
		return []any{&expr.Objref{Type: unix.NFT_OBJECT_COUNTER, Name: s.Counter}}, nil
	case Verdict:
		word, chain, _ := strings.Cut(string(s), " ")
		return []any{&expr.Verdict{Kind: expr.VerdictKind(verdicts[word]), Chain: chain}}, nil
	case SetMark:
		return []any{
			&expr.Immediate{Register: register(0), Data: []byte(s.Value)},
			&expr.Meta{Key: expr.MetaKey(fields[Mark].offset), Register: register(0), SourceRegister: true},
		}, nil
	case Notrack:
		return []any{&expr.Notrack{}}, nil
	case Forward:
		return e.forward(s)
	case Limit:
		return append(loadKey(s.Key), &expr.Dynset{
			SrcRegKey: register(0), SetName: s.Set, Operation: unix.NFT_DYNSET_OP_UPDATE,
			Exprs: []expr.Any{&expr.Limit{
				Type: expr.LimitTypePkts, Rate: uint64(s.Rate), Unit: expr.LimitTimeSecond, Burst: uint32(s.Burst), Over: true,
			}},
		}), nil
	}
	return nil, fmt.Errorf("encode rule: %T is nothing that Weft writes", s)
}

// register names the one at a place, in units of 4 bytes, as the kernel does: by
// its number among those of 16 bytes where one of these begins (nft_dump_register).
func register(at int) uint32 {
	if at%4 == 0 {
		return unix.NFT_REG_1 + uint32(at/4)
	}
	return unix.NFT_REG32_00 + uint32(at)
}

// loadKey loads fields one behind the other.
func loadKey(k Key) []any {
	var loads []any
	at := 0
	for _, f := range k.list() {
		loads = append(loads, load(f, at))
		at += f.room() / 4
	}
	return loads
}

func load(f Field, at int) any {
	d := fields[f]
	switch d.header {
	case meta:
		return &expr.Meta{Key: expr.MetaKey(d.offset), Register: register(at)}
	case extension:
		return &expr.Exthdr{
			DestRegister: register(at), Type: uint8(d.offset), Len: 1,
			Op: expr.ExthdrOpIpv6, Flags: unix.NFT_EXTHDR_F_PRESENT,
		}
	}
	return &expr.Payload{
		DestRegister: register(at), Base: expr.PayloadBase(d.header), Offset: uint32(d.offset), Len: uint32(d.length),
	}
}

// forward loads a device and a neighbour's address, and sends.
func (e *encoder) forward(s Forward) ([]any, error) {
	index, err := e.index(s.Device)
	if err != nil {
		return nil, err
	}
	device := &expr.Immediate{Register: register(0), Data: binary.NativeEndian.AppendUint32(nil, uint32(index))}
	const at = 4 // behind the register that the device is in
	code := []any{device}
	if s.Map == "" {
		code = append(code, &expr.Immediate{Register: register(at), Data: s.To.AsSlice()})
	} else {
		code = append(code, load(s.Destination, at),
			&expr.Lookup{SourceRegister: register(at), SetName: s.Map, IsDestRegSet: true, DestRegister: register(at)})
	}
	protocol := uint32(unix.NFPROTO_IPV4)
	if fields[s.Destination].kind == ipv6Address {
		protocol = unix.NFPROTO_IPV6
	}
	var fwd attributes
	fwd.text(unix.NFTA_EXPR_NAME, "fwd")
	fwd.nest(unix.NFTA_EXPR_DATA, func(a *attributes) {
		a.number(unix.NFTA_FWD_SREG_DEV, register(0))
		a.number(forwardAddress, register(at))
		a.number(forwardProtocol, protocol)
	})
	return append(code, raw(fwd)), nil
}

// NFTA_FWD_SREG_ADDR and NFTA_FWD_NFPROTO (linux/netfilter/nf_tables.h).
const (
	forwardAddress  = 2
	forwardProtocol = 3
)
