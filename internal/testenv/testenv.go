// Package testenv is what Weft's tests stand on: what the machine must have,
// names and namespaces of their own, commands in namespaces, conditions to wait
// for, golden files, and a check that nothing is left behind.
//
// Tests of many packages run on one machine at the same time. So whatever a test
// makes outside its namespaces carries a name from [Name], which holds this test
// binary's random tag, and [Main] looks for leaks by that tag alone.
//
// Only tests import this package. It is the one place that skips, and the one
// place that waits by the clock.
package testenv

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// strictVar turns every skip into a failure, so that a green run has run
// everything.
const strictVar = "WEFT_TEST_STRICT"

// Need skips the test unless every tool is in PATH.
func Need(t testing.TB, tools ...string) {
	t.Helper()
	var missing []string
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if len(missing) > 0 {
		Skip(t, "needs "+strings.Join(missing, ", ")+": not in PATH (make test installs them)")
	}
}

// NeedRoot skips the test unless it may make network namespaces in the
// machine's own.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Skip(t, "needs root")
	}
}

// Skip skips the test, and fails it where skips are not allowed. The reason says
// what the machine lacks.
func Skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv(strictVar) == "1" {
		t.Fatalf("would skip, but %s=1: %s", strictVar, reason)
	}
	t.Skip(reason)
}

// Rounds returns how often a test with chance or faults in it repeats them: short
// in make test, long in make soak (WEFT_TEST_LONG=1).
func Rounds(short, long int) int {
	if os.Getenv("WEFT_TEST_LONG") == "1" {
		return long
	}
	return short
}
