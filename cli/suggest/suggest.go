// Package suggest finds what somebody who mistyped a name may have meant.
package suggest

import "strings"

// near is the largest number of letters that may be wrong.
const near = 2

// Nearest returns the known name that is most like the unknown one: the same in
// another case, or with at most two letters wrong. It is empty when none is.
func Nearest(unknown string, known []string) string {
	best, distance := "", near+1
	for _, k := range known {
		if d := edits(strings.ToLower(unknown), strings.ToLower(k)); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance: how many letters have to be inserted,
// removed or replaced to make one of the other.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
