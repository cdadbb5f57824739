package testenv

import (
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// Frames reads captured packets from a text file: lines with # are comments (the
// first say where the packets come from), a name stands at the start of a line, and
// the packet under it in hexadecimal, each line of it indented by two spaces.
func Frames(t testing.TB, path string) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	frames, err := parseFrames(string(text))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return frames
}

func parseFrames(text string) (map[string][]byte, error) {
	frames, name, number := map[string][]byte{}, "", 0
	for line := range strings.Lines(text) {
		number++
		digits, indented := strings.CutPrefix(line, "  ")
		switch line = strings.TrimSpace(line); {
		case line == "", line[0] == '#':
		case !indented:
			if name = line; frames[name] != nil {
				return nil, fmt.Errorf("line %d: a second frame %s", number, name)
			}
			frames[name] = []byte{}
		case name == "":
			return nil, fmt.Errorf("line %d: a frame without a name", number)
		default:
			b, err := hex.DecodeString(strings.TrimSpace(digits))
			if err != nil {
				return nil, fmt.Errorf("line %d: frame %s: %w", number, name, err)
			}
			frames[name] = append(frames[name], b...)
		}
	}
	return frames, nil
}

// FormatFrames is the text of a file that Frames reads: a head, whose lines begin with #,
// and the packets in order of their names, each under what is said of it, if anything is.
func FormatFrames(head string, frames map[string][]byte, said map[string]string) string {
	var b strings.Builder
	b.WriteString(head)
	for _, name := range slices.Sorted(maps.Keys(frames)) {
		if said[name] != "" {
			fmt.Fprintf(&b, "# %s\n", said[name])
		}
		fmt.Fprintf(&b, "%s\n", name)
		for line := range slices.Chunk(frames[name], 48) {
			fmt.Fprintf(&b, "  %x\n", line)
		}
	}
	return b.String()
}
