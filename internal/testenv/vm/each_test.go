package vm

import (
	"slices"
	"testing"
)

// What becomes of a test in a machine is what becomes of it outside.
func TestResults(t *testing.T) {
	t.Parallel()
	out := `=== RUN   TestA
    a_test.go:1: --- FAIL: TestA/said (it)
--- FAIL: TestA (0.10s)
    --- PASS: TestA/one (0.00s)
        --- PASS: TestA/one/two (0.00s)
    --- SKIP: TestA/three (0.00s)
    --- PASS: TestAB/four (0.00s)
FAIL
`
	want := []result{{"one", "PASS"}, {"one/two", "PASS"}, {"three", "SKIP"}}
	if got := resultsOf(out, "TestA"); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
