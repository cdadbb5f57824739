package store

import (
	"errors"
	"fmt"

	"weft/overlay"
)

var (
	// ErrNotFound: no resource has the key.
	ErrNotFound = errors.New("not found")
	// ErrRestored: the store was wiped or restored since the given revision.
	ErrRestored = errors.New("the store was restored or replaced; what it lacks may not be deleted")
	// ErrRevoked: who asks was removed, and its certificate with it.
	ErrRevoked = errors.New("the certificate was revoked")
	// ErrUnavailable: the store cannot be reached or has no leader; try again.
	ErrUnavailable = errors.New("the store is not available")
)

// ConflictError says that a resource is not at the expected revision.
type ConflictError struct {
	Key overlay.Key
	// Have is the revision found, 0 when the resource does not exist.
	Have, Expected int64
}

func (e *ConflictError) Error() string {
	switch {
	case e.Expected == Absent:
		return fmt.Sprintf("%s exists already", e.Key)
	case e.Have == 0:
		return fmt.Sprintf("%s was deleted meanwhile", e.Key)
	}
	return fmt.Sprintf("%s was changed meanwhile (revision %d, expected %d); read it again", e.Key, e.Have, e.Expected)
}

// ClaimedError says that another resource holds a claim.
type ClaimedError struct {
	Claim  overlay.Claim
	Holder overlay.Key
	Key    overlay.Key // who wanted it
}

func (e *ClaimedError) Error() string {
	return fmt.Sprintf("%s: %s is taken by %s", e.Key, e.Claim, e.Holder)
}

// MissingError says that a resource which another one needs does not exist.
type MissingError struct {
	Key  overlay.Key // who needs it
	Need overlay.Key
}

func (e *MissingError) Error() string { return fmt.Sprintf("%s: there is no %s", e.Key, e.Need) }

// Is makes a missing need a kind of ErrNotFound.
func (e *MissingError) Is(target error) bool { return target == ErrNotFound }

// InUseError says that a resource cannot be deleted because others need it.
type InUseError struct {
	Key overlay.Key
	By  overlay.Key // one of those that need it
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("%s is in use by %s; remove that first", e.Key, e.By)
}
