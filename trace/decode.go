package trace

import (
	"errors"
	"fmt"
	"slices"

	"weft/overlay"
	"weft/packet"
)

// maxLayers bounds what one frame can unfold to; the rest of it is data.
const maxLayers = 64

// Decode takes an Ethernet frame apart. UDP packets to one of the vxlan ports are
// tunnel packets, and what they carry is decoded too. The layers keep no part of
// the frame.
func Decode(frame []byte, vxlan ...uint16) []Layer {
	d := decoder{vxlan: vxlan}
	d.ethernet(view{b: frame})
	return d.layers
}

type decoder struct {
	vxlan  []uint16
	depth  int
	layers []Layer
}

// view is a part of the frame that begins at byte at.
type view struct {
	at int
	b  []byte
	// partial: the end is missing, and rightly so: a fragment, or the quote of
	// an ICMP error. Lengths and checksums then prove nothing.
	partial bool
}

// behind is the part behind a header of n bytes.
func (v view) behind(n int, rest []byte) view {
	return view{at: v.at + n, b: rest, partial: v.partial}
}

// layer adds a layer with a header of n bytes at the start of v. The pointer holds
// until the next one is added.
func (d *decoder) layer(name string, v view, n int) *Layer {
	d.layers = append(d.layers, Layer{Name: name, Depth: d.depth, Offset: v.at, Length: n})
	return &d.layers[len(d.layers)-1]
}

// add adds the field at bytes [at, at+n) of the layer.
func (l *Layer) add(name string, at, n int, value, note string) {
	l.Fields = append(l.Fields, Field{Name: name, Value: value, Note: note, Offset: l.Offset + at, Length: n})
}

// broken adds the layer that v should have been.
func (d *decoder) broken(name string, v view, err error) {
	l := d.layer(name, v, len(v.b))
	l.Problem = err.Error()
	l.Summary = count(len(v.b))
}

// tolerable notes an error beside which the header was read, and reports whether
// decoding goes on. A payload cut off is no problem where v is partial.
func tolerable(err error, v view, problem *string) bool {
	switch {
	case err == nil, errors.Is(err, packet.ErrCut) && v.partial:
		return true
	case errors.Is(err, packet.ErrCut), errors.Is(err, packet.ErrChecksum):
		*problem = err.Error()
		return true
	}
	return false
}

// data adds what is left.
func (d *decoder) data(name string, v view) {
	if len(v.b) > 0 {
		d.layer(name, v, len(v.b)).Summary = count(len(v.b))
	}
}

// deeper decodes with f what a packet carries inside another.
func (d *decoder) deeper(v view, f func(view) int) {
	if len(d.layers) >= maxLayers {
		d.data(Data, v)
		return
	}
	d.depth++
	end := f(v)
	d.depth--
	d.data(Data, view{at: v.at + end, b: v.b[end:]})
}

func (d *decoder) isVXLAN(port uint16) bool { return slices.Contains(d.vxlan, port) }

func count(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

func mac(m [6]byte) string { return overlay.MAC(m).String() }

// number is any of the numbers in headers.
type number interface {
	~uint8 | ~uint16 | ~uint32
}

func dec[N number](n N) string { return fmt.Sprintf("%d", uint32(n)) }

func hex8(n uint8) string   { return fmt.Sprintf("0x%02x", n) }
func hex16(n uint16) string { return fmt.Sprintf("0x%04x", n) }
