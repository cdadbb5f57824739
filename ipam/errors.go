package ipam

import (
	"fmt"
	"net/netip"
)

// ExhaustedError says that there is nothing left to choose from.
type ExhaustedError struct {
	// What ran out: "address", "block", "VNI" or "MAC".
	What string
	// Range is what was to be chosen from: "10.7.0.0/24".
	Range string
	// Taken of Usable were found taken: all of them.
	Taken, Usable uint64
	// Hint says what the user can do.
	Hint string
}

func (e *ExhaustedError) Error() string {
	return fmt.Sprintf("no free %s in %s: %d of %d are taken; %s", e.What, e.Range, e.Taken, e.Usable, e.Hint)
}

// Reason says why an address cannot be an endpoint's.
type Reason string

const (
	// Foreign: it is not in the range.
	Foreign Reason = "foreign"
	// Reserved: it is a network, broadcast or subnet-router anycast address.
	Reserved Reason = "reserved"
	// IsGateway: it is the network's gateway.
	IsGateway Reason = "gateway"
)

// AddressError says that an address which was asked for cannot be an endpoint's.
type AddressError struct {
	Address netip.Addr
	Pool    Pool
	Reason  Reason
}

func (e *AddressError) Error() string {
	switch e.Reason {
	case IsGateway:
		return fmt.Sprintf("address %s is the gateway of the network; ask for another one in %s, or for none to have one chosen", e.Address, e.Pool.Range)
	case Reserved:
		return fmt.Sprintf("address %s is reserved: it is the first or last of %s; ask for one in between", e.Address, e.Pool.Range)
	}
	if e.Pool.Range == e.Pool.Subnet {
		return fmt.Sprintf("address %s is not in the network's subnet %s; ask for one in it, or for none to have one chosen", e.Address, e.Pool.Range)
	}
	return fmt.Sprintf("address %s is not in the node's block %s of subnet %s; ask for one in it, or for none to have one chosen", e.Address, e.Pool.Range, e.Pool.Subnet)
}
