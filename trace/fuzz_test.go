package trace

import (
	"testing"
)

// FuzzDecode: whatever the frame, its layers follow each other without a gap from the
// first byte to the last, every field lies in its layer, and printing goes well.
func FuzzDecode(f *testing.F) {
	for _, b := range kernelFrames(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		layers := Decode(b, kernelPorts...)
		at := 0
		for _, l := range layers {
			if l.Offset != at {
				t.Fatalf("%s begins at %d, not %d\n%s", l.Name, l.Offset, at, names(layers))
			}
			at = l.Offset + l.Length
			if at > len(b) {
				t.Fatalf("%s ends at %d of %d", l.Name, at, len(b))
			}
			for _, field := range l.Fields {
				if field.Offset < l.Offset || field.Offset+field.Length > at || field.Length < 1 {
					t.Fatalf("%s of %s is at %d+%d, the layer at %d+%d",
						field.Name, l.Name, field.Offset, field.Length, l.Offset, l.Length)
				}
			}
		}
		if at != len(b) {
			t.Fatalf("the layers end at %d of %d\n%s", at, len(b), names(layers))
		}
		Text(layers, b, TextOptions{Fields: true, Hex: true})
	})
}
