package overlay

import (
	"fmt"
	"net/netip"
	"strings"
)

// Block is a node's share of a routed network's subnet. Servers make it, in the
// transaction that finds it free, and a node keeps it until one of them goes.
type Block struct {
	Meta
	Spec BlockSpec `json:"spec"`
}

// BlockSpec says whose share it is.
type BlockSpec struct {
	Node   NodeName     `json:"node"`
	Prefix netip.Prefix `json:"prefix"`
}

// BlockName is the name of a prefix's block: "10-8-1-0-24".
func BlockName(p netip.Prefix) string {
	return strings.Trim(strings.NewReplacer(".", "-", ":", "-", "/", "-").Replace(p.Masked().Addr().StringExpanded()), "-") +
		fmt.Sprintf("-%d", p.Bits())
}

// Validate implements Resource.
func (b *Block) Validate() error {
	if err := CheckName("block", b.Name); err != nil {
		return err
	}
	if err := CheckName("network", string(b.Network)); err != nil {
		return err
	}
	if err := CheckName("node", string(b.Spec.Node)); err != nil {
		return err
	}
	if !b.Spec.Prefix.IsValid() || b.Spec.Prefix != b.Spec.Prefix.Masked() {
		return fmt.Errorf("block %s: prefix %s: want a network address", b.Name, b.Spec.Prefix)
	}
	return nil
}

// Claims implements Resource.
func (b *Block) Claims() []Claim {
	return []Claim{BlockClaim(b.Network, b.Spec.Prefix)}
}

// BlockClaim is the claim on a block of a network.
func BlockClaim(n NetworkName, p netip.Prefix) Claim {
	return Claim("prefix/" + string(n) + "/" + p.String())
}

// Needs implements Resource.
func (b *Block) Needs() []Key {
	return []Key{{Kind: KindNetwork, Name: string(b.Network)}, {Kind: KindNode, Name: string(b.Spec.Node)}}
}
