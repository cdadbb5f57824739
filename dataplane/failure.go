package dataplane

import (
	"errors"

	"weft/overlay"
)

// Failure is an error of Apply about one network, or one port of it: whatever
// else was wanted is there. Apply's error may join several of them.
type Failure interface {
	error
	// Concerns names the network, and the port unless it is about all of them.
	Concerns() (overlay.NetworkName, overlay.EndpointName)
}

// TunnelFailure is a Failure about a tunnel that stands alone, and thus about no network.
type TunnelFailure interface {
	Failure
	// ConcernsTunnel names it.
	ConcernsTunnel() overlay.TunnelName
}

// ConcerningTunnel is Concerning for a tunnel that stands alone.
func ConcerningTunnel(err error, tunnel overlay.TunnelName) error {
	switch e := err.(type) {
	case TunnelFailure:
		if e.ConcernsTunnel() != tunnel {
			return nil
		}
	case Failure:
		return nil
	case interface{ Unwrap() []error }:
		var some []error
		for _, part := range e.Unwrap() {
			some = append(some, ConcerningTunnel(part, tunnel))
		}
		return errors.Join(some...)
	}
	return err
}

// Concerning is what an error of Apply says of a port, or of a network when port
// is empty; nil: nothing. What is no Failure concerns all of them.
func Concerning(err error, network overlay.NetworkName, port overlay.EndpointName) error {
	switch e := err.(type) {
	case nil:
		return nil
	case Failure:
		n, p := e.Concerns()
		if n != network || port != "" && p != "" && p != port {
			return nil
		}
	case interface{ Unwrap() []error }:
		var some []error
		for _, part := range e.Unwrap() {
			some = append(some, Concerning(part, network, port))
		}
		return errors.Join(some...)
	}
	return err
}
