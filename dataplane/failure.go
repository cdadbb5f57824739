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
