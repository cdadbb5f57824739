package bench

import (
	"fmt"
	"strings"
)

// Lines in a document between which a report stands.
const (
	Begin = "<!-- bench: begin -->"
	End   = "<!-- bench: end -->"
)

// Replace returns the document with the text between the two lines in place of what was
// there.
func Replace(document, text string) (string, error) {
	before, rest, begun := strings.Cut(document, Begin+"\n")
	_, after, ended := strings.Cut(rest, End+"\n")
	if !begun || !ended {
		return "", fmt.Errorf("no lines %s and %s", Begin, End)
	}
	return before + Begin + "\n" + strings.TrimRight(text, "\n") + "\n" + End + "\n" + after, nil
}
