package ebpf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"weft/internal/testenv"
)

// What is asked for is what the programs consist of.
func TestNeeds(t *testing.T) {
	t.Parallel()
	spec, err := loadPrograms()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range needsOf(spec) {
		names = append(names, n.name)
	}
	for _, want := range []string{"programs of type SchedCLS", "maps of type LPMTrie", "maps of type RingBuf", "FnRedirectPeer", "FnFibLookup", "tcx or cls_bpf"} {
		if !slices.Contains(names, want) {
			t.Errorf("%q: want %s among them", names, want)
		}
	}
}

// All that is lacking is named; what cannot be told is an error of its own.
func TestLacking(t *testing.T) {
	t.Parallel()
	broken := errors.New("no memory")
	answers := func(answers ...error) (needs []need) {
		for i, answer := range answers {
			needs = append(needs, need{fmt.Sprintf("thing%d", i), func() error { return answer }})
		}
		return needs
	}
	no := fmt.Errorf("an older kernel: %w", ebpf.ErrNotSupported)
	if err := lacking(answers(nil, nil)); err != nil {
		t.Errorf("a kernel that has all: %v", err)
	}
	if err := lacking(answers(no, nil, no)); err == nil || err.Error() != "the kernel lacks thing0, thing2" {
		t.Errorf("a kernel without two: %v", err)
	}
	if err := lacking(answers(no, broken)); !errors.Is(err, broken) || !strings.Contains(err.Error(), "thing1") {
		t.Errorf("a kernel that does not answer: %v", err)
	}
}

// A kernel on which the programs load has what they need.
func TestProbe(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	opened(t)
	if err := Probe(); err != nil {
		t.Error(err)
	}
}
