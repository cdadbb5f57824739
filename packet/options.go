package packet

import "fmt"

// MaxOptions is how many bytes of options an IPv4 or TCP header can hold: their
// 4-bit length counts words, of which five are the fixed header.
const MaxOptions = 40

// Options are the options of an IPv4 or TCP header as they stand on the wire,
// held by value. The zero value is none.
type Options struct {
	n uint8
	b [MaxOptions]byte
}

// MakeOptions copies b and pads it with zeros (end of options) to whole words.
func MakeOptions(b []byte) (Options, error) {
	if len(b) > MaxOptions {
		return Options{}, fmt.Errorf("make options: %d bytes, at most %d fit", len(b), MaxOptions)
	}
	return optionsOf(b), nil
}

// optionsOf is MakeOptions for at most MaxOptions bytes.
func optionsOf(b []byte) Options {
	o := Options{n: uint8((len(b) + 3) &^ 3)}
	copy(o.b[:], b)
	return o
}

// Len is the length in bytes, a multiple of 4.
func (o Options) Len() int { return int(o.n) }

// Append appends the options' bytes.
func (o Options) Append(b []byte) []byte { return append(b, o.b[:o.n]...) }
