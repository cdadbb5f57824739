package api

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"weft/overlay"
	"weft/store"
)

// revisionHeader tells the store's revision after a write.
const revisionHeader = "Weft-Revision"

// List is the answer to a list.
type List struct {
	Revision overlay.Revision   `json:"revision"`
	Items    []overlay.Resource `json:"items"`
}

// JoinRequest asks for a certificate by a token.
type JoinRequest struct {
	// Token is the whole token.
	Token string `json:"token"`
	// CSR is a certificate request in PEM. Only its key counts.
	CSR string `json:"csr"`
	// Node is the name of the node that joins; empty for people, who are
	// called like their token.
	Node overlay.NodeName `json:"node,omitempty"`
}

// RenewRequest asks for another certificate of the same identity.
type RenewRequest struct {
	CSR string `json:"csr"`
}

// Certificate is the answer to a join or a renewal, in PEM.
type Certificate struct {
	Certificate string `json:"certificate"`
	CA          string `json:"ca"`
}

// TokenRequest asks for a new token.
type TokenRequest struct {
	// Name of the token, and of the person who logs in with it [chosen].
	Name string `json:"name,omitempty"`
	// Role of who uses it: node, admin or reader [node].
	Role overlay.Role `json:"role,omitempty"`
	// TTL is how long it is good, such as "90m" [24h].
	TTL Duration `json:"ttl,omitempty"`
	// Node limits a node token to one name, and lets a host take over that
	// node's name.
	Node overlay.NodeName `json:"node,omitempty"`
}

// NewToken is the answer: the only time that the token's secret is shown.
type NewToken struct {
	Token   string    `json:"token"`
	Name    string    `json:"name"`
	Expires time.Time `json:"expires"`
}

// WhoAmI is whom the server takes the caller for.
type WhoAmI struct {
	Name    string       `json:"name"`
	Role    overlay.Role `json:"role"`
	Expires time.Time    `json:"expires"`
}

// ServerStatus is how a server is.
type ServerStatus struct {
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	// Ready: the server has read its store.
	Ready bool `json:"ready"`
	// Revision of the store that the server has seen.
	Revision overlay.Revision `json:"revision"`
	// Hold is why nothing is allocated; empty when it is.
	Hold string `json:"hold,omitempty"`
}

// Duration is a time.Duration that is written like "90m".
type Duration time.Duration

// MarshalText writes time.Duration's form.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads time.Duration's form.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("duration %q: want a number with a unit, such as 90s, 15m or 24h", text)
	}
	*d = Duration(v)
	return nil
}

// watchLine is one line of a watch. An empty one says only that the server is there.
type watchLine[R any] struct {
	Revision overlay.Revision `json:"revision,omitzero"`
	Reset    bool             `json:"reset,omitempty"`
	// More: the batch goes on in the next line.
	More    bool          `json:"more,omitempty"`
	Puts    []R           `json:"puts,omitempty"`
	Deletes []overlay.Key `json:"deletes,omitempty"`
	// Error ends the watch.
	Error *Error `json:"error,omitempty"`
}

// formatExpect and parseExpect are an expected revision in a query.
func formatExpect(n int64) string {
	switch n {
	case store.Any:
		return "any"
	case store.Absent:
		return "absent"
	}
	return strconv.FormatInt(n, 10)
}

func parseExpect(s string) (int64, error) {
	switch s {
	case "", "any":
		return store.Any, nil
	case "absent":
		return store.Absent, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return 0, Invalid("", "expect=%.40s: want absent, any or a revision", s)
	}
	return n, nil
}

// parseRevision reads what overlay.Revision.String writes.
func parseRevision(s string) (overlay.Revision, error) {
	i := strings.LastIndexByte(s, '@')
	if i < 0 {
		return overlay.Revision{}, fmt.Errorf("revision %.80q: want INCARNATION@NUMBER", s)
	}
	n, err := strconv.ParseInt(s[i+1:], 10, 64)
	if err != nil || n < 0 {
		return overlay.Revision{}, fmt.Errorf("revision %.80q: want INCARNATION@NUMBER", s)
	}
	return overlay.Revision{Incarnation: s[:i], Number: n}, nil
}
