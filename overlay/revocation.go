package overlay

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// Revocation refuses the certificates that somebody got before it: a node that was
// removed, or a person. Only servers write it, and remove it when the last of those
// certificates has expired.
type Revocation struct {
	Meta
	Spec RevocationSpec `json:"spec"`
}

// RevocationSpec says whose certificates are refused.
type RevocationSpec struct {
	// Of is a node or a person.
	Of Holder `json:"of"`
	// Holder is the node's name, or that of the token which the person logged in with.
	Holder string `json:"holder"`
	// Epoch is what certificates carry that were issued since; all others are
	// refused. It is new with every revocation and no time, so that the servers'
	// clocks do not matter.
	Epoch string `json:"epoch"`
	// Since is when the certificates were revoked, and Until when all of them
	// have expired.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// Holder says what kind of holder a certificate has.
type Holder string

const (
	// HolderNode: certificates of role node.
	HolderNode Holder = "node"
	// HolderPerson: certificates of roles admin and reader.
	HolderPerson Holder = "person"
)

// RevocationName is the name of the one revocation that a holder can have. Long
// names of holders are cut, and told apart by a hash.
func RevocationName(of Holder, holder string) string {
	name := string(of) + "-" + holder
	if len(name) <= MaxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	tail := "-" + hex.EncodeToString(sum[:8])
	return name[:MaxName-len(tail)] + tail
}

// Validate implements Resource.
func (r *Revocation) Validate() error {
	switch {
	case r.Spec.Of != HolderNode && r.Spec.Of != HolderPerson:
		return fmt.Errorf("revocation %s: of %q: want node or person", r.Name, r.Spec.Of)
	case r.Name != RevocationName(r.Spec.Of, r.Spec.Holder):
		return fmt.Errorf("revocation %s: that of %s %s is named %s", r.Name, r.Spec.Of, r.Spec.Holder, RevocationName(r.Spec.Of, r.Spec.Holder))
	case r.Spec.Epoch == "" || !r.Spec.Until.After(r.Spec.Since):
		return fmt.Errorf("revocation %s: a revocation has an epoch, a beginning and an end", r.Name)
	}
	return CheckName("revocation", r.Name)
}

// Claims implements Resource.
func (r *Revocation) Claims() []Claim { return nil }

// Needs implements Resource.
func (r *Revocation) Needs() []Key { return nil }
