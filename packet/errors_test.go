package packet

import (
	"errors"
	"strings"
	"testing"
)

func isShort(err error) bool { return errors.Is(err, ErrShort) }

// refusal is an input that must not parse.
type refusal struct {
	name string
	b    []byte
	want error
	text string // part of the message
}

// checkRefusals runs parse over the refusals. Where the header is still readable
// (ErrCut, ErrChecksum) it must come back.
func checkRefusals[H header](t *testing.T, parse func([]byte) (H, []byte, error), cases []refusal) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h, _, err := parse(c.b)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("got %v, want %v with %q", err, c.want, c.text)
			}
			var zero H
			readable := errors.Is(err, ErrCut) || errors.Is(err, ErrChecksum)
			if (h != zero) != readable {
				t.Errorf("header %+v beside %v", h, err)
			}
		})
	}
}

// with is a copy of b with some bytes replaced.
func with(b []byte, at int, values ...byte) []byte {
	b = append([]byte(nil), b...)
	copy(b[at:], values)
	return b
}

// is is errors.Is, and for nil equality.
func is(err, want error) bool {
	if want == nil {
		return err == nil
	}
	return errors.Is(err, want)
}
