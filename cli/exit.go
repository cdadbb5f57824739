package cli

import (
	"errors"
	"fmt"
	"io/fs"

	"weft/api"
	"weft/store"
)

// The exit codes; docs/exit-codes.md explains them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitRefused     = 3
	exitNotFound    = 4
	exitConflict    = 5
	exitUnavailable = 6
)

// exitStatus ends the command with that code and without a message.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// codedError is an error whose exit code does not follow from what it wraps.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// withCode gives an error an exit code of its own.
func withCode(code int, format string, args ...any) error {
	return &codedError{code, fmt.Errorf(format, args...)}
}

// exitCode is the exit code of an error that a command returned.
func exitCode(err error) int {
	var (
		coded    *codedError
		refused  *api.Error
		conflict *store.ConflictError
		claimed  *store.ClaimedError
		inUse    *store.InUseError
	)
	switch {
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &refused):
		return refusedCode(refused.Code)
	case errors.Is(err, store.ErrNotFound):
		return exitNotFound
	case errors.As(err, &conflict), errors.As(err, &claimed), errors.As(err, &inUse):
		return exitConflict
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrRestored):
		return exitUnavailable
	case errors.Is(err, fs.ErrPermission):
		return exitRefused
	}
	return exitFailure
}

// refusedCode is the exit code of a refusal by a server or the agent.
func refusedCode(c api.Code) int {
	switch c {
	case api.CodeInvalid:
		return exitUsage
	case api.CodeForbidden, api.CodeRevoked:
		return exitRefused
	case api.CodeNotFound, api.CodeMissing:
		return exitNotFound
	case api.CodeConflict, api.CodeClaimed, api.CodeInUse, api.CodeExhausted:
		return exitConflict
	case api.CodeUnavailable, api.CodeRestored:
		return exitUnavailable
	}
	return exitFailure
}
