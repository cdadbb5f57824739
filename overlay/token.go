package overlay

import (
	"fmt"
	"time"
)

// Role is what a certificate may do.
type Role string

const (
	// RoleNode writes its own node record and endpoints, and reads.
	RoleNode Role = "node"
	// RoleAdmin writes everything.
	RoleAdmin Role = "admin"
	// RoleReader reads everything but tokens.
	RoleReader Role = "reader"
	// RoleServer is a server's own certificate.
	RoleServer Role = "server"
)

// Token is the server's record of a token that it gave out: never the secret,
// only its hash. Deleting it revokes the token.
type Token struct {
	Meta
	Spec TokenSpec `json:"spec"`
}

// TokenSpec says what the token is good for.
type TokenSpec struct {
	Role    Role      `json:"role"`
	Expires time.Time `json:"expires"`
	// Hash is the SHA-256 of the secret, in hexadecimal.
	Hash string `json:"hash"`
	// Node limits a node token to one name; empty allows any that is free.
	Node NodeName `json:"node,omitempty"`
}

// Validate implements Resource.
func (t *Token) Validate() error {
	if err := CheckName("token", t.Name); err != nil {
		return err
	}
	switch t.Spec.Role {
	case RoleNode, RoleAdmin, RoleReader:
	default:
		return fmt.Errorf("token %s: role %q: want node, admin or reader", t.Name, t.Spec.Role)
	}
	if len(t.Spec.Hash) != 64 || t.Spec.Expires.IsZero() {
		return fmt.Errorf("token %s: a token has a hash and an expiry; make one with weft token create", t.Name)
	}
	return nil
}

// Claims implements Resource.
func (t *Token) Claims() []Claim { return nil }

// Needs implements Resource.
func (t *Token) Needs() []Key { return nil }
