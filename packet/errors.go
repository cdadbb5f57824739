package packet

import (
	"errors"
	"fmt"
)

// What Parse refuses. Test with errors.Is.
var (
	// ErrShort: the bytes end inside the header.
	ErrShort = errors.New("header cut off")
	// ErrMalformed: a field has a value that its RFC does not allow.
	ErrMalformed = errors.New("malformed header")
	// ErrUnsupported: legal, and of a kind that this package does not know.
	ErrUnsupported = errors.New("unsupported kind")
	// ErrCut: the payload is shorter than the header says. The header and what
	// there is of the payload are returned.
	ErrCut = errors.New("payload cut off")
	// ErrChecksum: the header's own checksum is wrong. The header and its
	// payload are returned.
	ErrChecksum = errors.New("wrong checksum")
)

// ErrUnanswerable: the RFCs forbid an ICMP error about this packet.
var ErrUnanswerable = errors.New("no ICMP error may answer this packet")

func errShort(header string, have, want int) error {
	return fmt.Errorf("parse %s: %w: %d of %d bytes", header, ErrShort, have, want)
}

func errCut(header string, have, want int) error {
	return fmt.Errorf("parse %s: %w: %d of %d bytes", header, ErrCut, have, want)
}

func errMalformed(header, field string, value int) error {
	return fmt.Errorf("parse %s: %w: %s %d", header, ErrMalformed, field, value)
}

func errUnsupported(header, field string, value int) error {
	return fmt.Errorf("parse %s: %w: %s %d", header, ErrUnsupported, field, value)
}

func errChecksumIPv4(b []byte) error {
	return fmt.Errorf("parse ipv4: %w: 0x%02x%02x", ErrChecksum, b[10], b[11])
}
