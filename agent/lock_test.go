package agent

import (
	"errors"
	"testing"

	"weft/internal/netns"
	"weft/internal/testenv"
)

// TestClaim: one agent makes a host match, and one on each of several hosts.
func TestClaim(t *testing.T) {
	t.Parallel()
	one, other := testenv.Namespace(t), testenv.Namespace(t)
	claim := func(ns string) (leave func() error, err error) {
		err = netns.Do(ns, func() (err error) { leave, err = Claim(); return err })
		return leave, err
	}
	leave, err := claim(one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claim(one); !errors.Is(err, ErrRunning) {
		t.Errorf("a second agent: %v, want %v", err, ErrRunning)
	}
	elsewhere, err := claim(other)
	if err != nil {
		t.Fatalf("on another host: %v", err)
	}
	if err := leave(); err != nil {
		t.Fatal(err)
	}
	again, err := claim(one)
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	if err := errors.Join(elsewhere(), again()); err != nil {
		t.Fatal(err)
	}
}
