package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"weft/ipam"
	"weft/overlay"
	"weft/store"
)

// Code says what kind of refusal an Error is. Programs look at it, people at the
// message.
type Code string

const (
	// CodeInvalid: the request is not well formed, or asks for what cannot be.
	CodeInvalid Code = "invalid"
	// CodeForbidden: who asks is unknown, or may not.
	CodeForbidden Code = "forbidden"
	// CodeRevoked: the certificate was revoked, that of a node by its removal.
	CodeRevoked Code = "revoked"
	// CodeNotFound: there is no such resource.
	CodeNotFound Code = "not-found"
	// CodeMissing: a resource which that one needs does not exist.
	CodeMissing Code = "missing"
	// CodeConflict: the resource is not at the expected revision.
	CodeConflict Code = "conflict"
	// CodeClaimed: another resource has the address, MAC, VNI or device.
	CodeClaimed Code = "claimed"
	// CodeInUse: others need the resource that was to be deleted.
	CodeInUse Code = "in-use"
	// CodeExhausted: nothing is left to choose from.
	CodeExhausted Code = "exhausted"
	// CodeRestored: the store was wiped or restored meanwhile.
	CodeRestored Code = "restored"
	// CodeUnavailable: the store, the server or the agent cannot be reached.
	CodeUnavailable Code = "unavailable"
	// CodeInternal: a fault of the server's own; its log says more.
	CodeInternal Code = "internal"
)

// codes gives each code its HTTP status.
var codes = map[Code]int{
	CodeInvalid:     http.StatusBadRequest,
	CodeForbidden:   http.StatusForbidden,
	CodeRevoked:     http.StatusForbidden,
	CodeNotFound:    http.StatusNotFound,
	CodeMissing:     http.StatusNotFound,
	CodeConflict:    http.StatusConflict,
	CodeClaimed:     http.StatusConflict,
	CodeInUse:       http.StatusConflict,
	CodeExhausted:   http.StatusConflict,
	CodeRestored:    http.StatusGone,
	CodeUnavailable: http.StatusServiceUnavailable,
	CodeInternal:    http.StatusInternalServerError,
}

// Error is a refusal as it goes over the wire. On the client's side errors.Is
// and errors.As find the store's error in it.
type Error struct {
	// Message is one line: what, where, why.
	Message string `json:"error"`
	Code    Code   `json:"code"`
	// Hint is what to do about it.
	Hint string `json:"hint,omitempty"`
	// Key is the resource that the refusal is about.
	Key *overlay.Key `json:"key,omitempty"`
	// Other is the resource that stands in the way: the holder of a claim, what
	// is missing, or what still needs Key.
	Other *overlay.Key `json:"other,omitempty"`
	// Claim is what another resource holds.
	Claim overlay.Claim `json:"claim,omitempty"`
	// Have and Expected are revisions in conflict.
	Have     int64 `json:"have,omitempty"`
	Expected int64 `json:"expected,omitempty"`
}

// Error is the message, and the hint if there is one.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "; " + e.Hint
}

// Unwrap is the store's error that this one stands for, or nil.
func (e *Error) Unwrap() error {
	var key, other overlay.Key
	if e.Key != nil {
		key = *e.Key
	}
	if e.Other != nil {
		other = *e.Other
	}
	switch e.Code {
	case CodeNotFound:
		return store.ErrNotFound
	case CodeMissing:
		return &store.MissingError{Key: key, Need: other}
	case CodeConflict:
		return &store.ConflictError{Key: key, Have: e.Have, Expected: e.Expected}
	case CodeClaimed:
		return &store.ClaimedError{Key: key, Holder: other, Claim: e.Claim}
	case CodeInUse:
		return &store.InUseError{Key: key, By: other}
	case CodeRestored:
		return store.ErrRestored
	case CodeRevoked:
		return store.ErrRevoked
	case CodeUnavailable:
		return store.ErrUnavailable
	}
	return nil
}

// Status is the HTTP status that goes with the code.
func (e *Error) Status() int {
	if s, ok := codes[e.Code]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// Invalid is an Error about a request that cannot be granted as it is.
func Invalid(hint, format string, args ...any) *Error {
	return &Error{Code: CodeInvalid, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// Taken is an Error about what another one has, on this host or in the store.
func Taken(hint, format string, args ...any) *Error {
	return &Error{Code: CodeClaimed, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// Forbidden is an Error about somebody who may not.
func Forbidden(hint, format string, args ...any) *Error {
	return &Error{Code: CodeForbidden, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// ErrorOf gives any error its form on the wire.
func ErrorOf(err error) *Error {
	var (
		done      *Error
		conflict  *store.ConflictError
		claimed   *store.ClaimedError
		missing   *store.MissingError
		inUse     *store.InUseError
		exhausted *ipam.ExhaustedError
		address   *ipam.AddressError
	)
	message := err.Error()
	switch {
	case errors.As(err, &done):
		return done
	case errors.As(err, &conflict):
		return &Error{Code: CodeConflict, Message: message, Key: &conflict.Key, Have: conflict.Have, Expected: conflict.Expected}
	case errors.As(err, &claimed):
		return claimedError(claimed)
	case errors.As(err, &missing):
		return &Error{Code: CodeMissing, Message: message, Key: &missing.Key, Other: &missing.Need}
	case errors.As(err, &inUse):
		return &Error{Code: CodeInUse, Message: message, Key: &inUse.Key, Other: &inUse.By}
	case errors.As(err, &exhausted):
		return &Error{Code: CodeExhausted, Message: strings.TrimSuffix(message, "; "+exhausted.Hint), Hint: exhausted.Hint}
	case errors.As(err, &address):
		return &Error{Code: CodeInvalid, Message: message}
	case errors.Is(err, store.ErrNotFound):
		return &Error{Code: CodeNotFound, Message: message}
	case errors.Is(err, store.ErrRestored):
		return &Error{Code: CodeRestored, Message: message}
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &Error{Code: CodeUnavailable, Message: message}
	}
	return &Error{Code: CodeInternal, Message: message}
}

// claimedError says it in the user's words instead of the claim's.
func claimedError(e *store.ClaimedError) *Error {
	parts := strings.SplitN(string(e.Claim), "/", 3)
	what, hint := string(e.Claim), ""
	switch {
	case len(parts) == 3 && parts[0] == "address":
		what, hint = "address "+parts[2], "ask for another one, or for none to have one chosen"
	case len(parts) == 3 && parts[0] == "mac":
		what, hint = "MAC "+parts[2], "ask for another one, or for none to have one chosen"
	case len(parts) == 3 && parts[0] == "device" && strings.HasPrefix(parts[2], "link/"):
		what, hint = "interface "+strings.TrimPrefix(parts[2], "link/")+" on node "+parts[1], "give it an interface of another name (--device)"
	case len(parts) == 3 && parts[0] == "device":
		at := strings.SplitN(parts[2], "/", 2)
		what, hint = strings.Join(at, " ")+" on node "+parts[1], "detach that first, or attach another interface"
	case len(parts) == 3 && parts[0] == "outer":
		what, hint = outerText(parts[2])+" on node "+parts[1], "want something to tell their packets apart: "+outerHint(parts[2])
	case len(parts) == 3 && parts[0] == "prefix":
		what = "prefix " + parts[2]
	case len(parts) >= 2 && parts[0] == "vni":
		what, hint = "VNI "+parts[1], "ask for another one, or for none to have one chosen"
	case len(parts) >= 2 && parts[0] == "bare":
		what, hint = "encapsulation "+parts[1], "its packets do not say what network they belong to, so one network has it; vxlan, geneve and gre are for any number"
	case len(parts) >= 2 && parts[0] == "underlay":
		what, hint = "underlay address "+parts[1], "remove that node if it is gone, or give this one another address with --underlay"
	case len(parts) >= 2 && parts[0] == "vtep":
		what = "VTEP MAC " + parts[1]
	}
	return &Error{
		Code: CodeClaimed, Message: fmt.Sprintf("%s: %s is taken by %s", e.Key, what, e.Holder), Hint: hint,
		Key: &e.Key, Other: &e.Holder, Claim: e.Claim,
	}
}
