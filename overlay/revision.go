package overlay

import "fmt"

// Revision is a point in a store's history. Numbers are comparable only within
// one incarnation: a store that was wiped or restored mints a new one, and
// whoever holds a revision of the old must not take absence for deletion.
type Revision struct {
	Incarnation string `json:"incarnation"`
	Number      int64  `json:"number"`
}

// IsZero reports whether r is unset: "from the beginning".
func (r Revision) IsZero() bool { return r == Revision{} }

// String is "incarnation@number".
func (r Revision) String() string { return fmt.Sprintf("%s@%d", r.Incarnation, r.Number) }
