package encap

import (
	"fmt"

	"weft/packet"
)

// MaxGeneveOptions is how many bytes of options a Geneve header can hold: its 6-bit
// length counts words.
const MaxGeneveOptions = 63 * 4

// GeneveOptions are the options of a Geneve header as they stand on the wire, held by
// value. The zero value is none.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Option Class         |C|    Type     |R|R|R| Length  |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                  Variable-Length Option Data                  ~
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type GeneveOptions struct {
	n        uint8
	critical bool
	b        [MaxGeneveOptions]byte
}

// MakeGeneveOptions copies b, which has to be whole options.
func MakeGeneveOptions(b []byte) (GeneveOptions, error) {
	if len(b) > MaxGeneveOptions {
		return GeneveOptions{}, fmt.Errorf("make geneve options: %d bytes, at most %d fit", len(b), MaxGeneveOptions)
	}
	critical, err := checkGeneveOptions(b)
	if err != nil {
		return GeneveOptions{}, fmt.Errorf("make geneve options: %w", err)
	}
	return geneveOptionsOf(b, critical), nil
}

// geneveOptionsOf is MakeGeneveOptions for options that were checked.
func geneveOptionsOf(b []byte, critical bool) GeneveOptions {
	o := GeneveOptions{n: uint8(len(b)), critical: critical}
	copy(o.b[:], b)
	return o
}

// checkGeneveOptions walks through options; they have to end where b ends (RFC 8926
// section 3.5).
func checkGeneveOptions(b []byte) (critical bool, err error) {
	const head = 4
	for len(b) > 0 {
		if len(b) < head {
			return false, fmt.Errorf("parse geneve option: %w: %d of %d bytes", packet.ErrShort, len(b), head)
		}
		length := head + int(b[3]&0x1f)*4
		if len(b) < length {
			return false, fmt.Errorf("parse geneve option: %w: %d of %d bytes", packet.ErrShort, len(b), length)
		}
		critical = critical || b[2]&0x80 != 0
		b = b[length:]
	}
	return critical, nil
}

// Len is the length in bytes, a multiple of 4.
func (o GeneveOptions) Len() int { return int(o.n) }

// Append appends the options' bytes.
func (o GeneveOptions) Append(b []byte) []byte { return append(b, o.b[:o.n]...) }
