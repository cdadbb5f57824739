package trace

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// TextOptions choose what [Text] prints beside one line a layer. The zero value is that
// alone.
type TextOptions struct {
	// Fields adds each layer's fields, with the bytes they are in.
	Fields bool
	// Hex adds each layer's bytes; Text then needs the frame.
	Hex bool
}

// Text prints layers for people: a line for each with its main fields, what is
// inside a tunnel or an ICMP error indented.
//
//	Ethernet    02:00:00:00:01:0a → 02:00:00:00:01:0b, IPv4
//	IPv4        192.0.2.10 → 192.0.2.11, UDP, ttl 64, length 94
//	UDP         55788 → 4789, length 74
//	VXLAN       vni 7001
//	  Ethernet  02:00:00:00:04:0a → 02:00:00:00:04:0b, IPv4
//	  …
func Text(layers []Layer, frame []byte, o TextOptions) string {
	var s strings.Builder
	width := nameWidth(layers)
	for _, l := range layers {
		line := pad(indent(l)+l.Name, width) + "  " + l.Summary
		if l.Problem != "" {
			line += "  ! " + l.Problem
		}
		s.WriteString(line + "\n")
		if o.Fields {
			writeFields(&s, l, strings.Repeat(" ", width+2))
		}
		if o.Hex {
			writeHex(&s, l, frame, strings.Repeat(" ", width+2))
		}
	}
	return s.String()
}

func indent(l Layer) string { return strings.Repeat("  ", l.Depth) }

func nameWidth(layers []Layer) int {
	width := 0
	for _, l := range layers {
		width = max(width, len(indent(l))+len(l.Name))
	}
	return width
}

// writeFields writes a line for each field: its first and last byte, counted from 0,
// its name, its value and what that means.
func writeFields(s *strings.Builder, l Layer, margin string) {
	place, name := 0, 0
	for _, f := range l.Fields {
		place, name = max(place, len(byteRange(f))), max(name, len(f.Name))
	}
	for _, f := range l.Fields {
		fmt.Fprintf(s, "%s%s  %s  %s\n", margin, pad(byteRange(f), place), pad(f.Name, name), withNote(f))
	}
}

func withNote(f Field) string {
	if f.Note == "" {
		return f.Value
	}
	return f.Value + " (" + f.Note + ")"
}

func byteRange(f Field) string {
	if f.Length == 1 {
		return fmt.Sprint(f.Offset)
	}
	return fmt.Sprintf("%d-%d", f.Offset, f.Offset+f.Length-1)
}

// writeHex writes the layer's bytes, sixteen a line, after their place in the frame.
func writeHex(s *strings.Builder, l Layer, frame []byte, margin string) {
	end := min(l.Offset+l.Length, len(frame))
	for at := l.Offset; at < end; at += 16 {
		fmt.Fprintf(s, "%s%04x  % x\n", margin, at, frame[at:min(at+16, end)])
	}
}

// pad fills s with spaces to width letters.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}
