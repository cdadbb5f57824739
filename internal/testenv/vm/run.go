package vm

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Build builds the test binary of a package of ours ("./dataplane/ebpf"), for machines
// to run: it needs no library.
func Build(t testing.TB, pkg string) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), filepath.Base(pkg)+".test")
	cmd := exec.Command("go", "test", "-c", "-o", binary, pkg)
	cmd.Dir, cmd.Env = root(), append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the tests of %s: %v\n%s", pkg, err, out)
	}
	return binary
}

// noTests is what a test binary says that has run nothing, and ends well.
const noTests = "no tests to run"

// RunTests boots a machine, runs a test binary with arguments ("-test.run=TestLoad") in
// it, and fails the test if it fails, or runs nothing. What it writes is logged.
func RunTests(t testing.TB, k Kernel, binary string, args ...string) {
	t.Helper()
	m := Start(t, k, Options{Files: map[string]string{binaryPath: binary}})
	out, err := m.runTests(args...)
	t.Logf("on Linux %s:\n%s", k, strings.TrimSpace(out))
	if err != nil {
		t.Error(err)
	}
}

// binaryPath is a test binary's in a machine.
const binaryPath = "/test/binary"

// runTests runs the test binary. It may not skip: a machine has whatever it needs.
func (m *Machine) runTests(args ...string) (string, error) {
	script := fmt.Sprintf("cd %s; export WEFT_TEST_STRICT=1 %s=%s; %s -test.v", filepath.Dir(binaryPath), hereVar, m.kernel, binaryPath)
	for _, a := range args {
		script += " '" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	out, err := m.Try(script)
	var failed *ExitError
	switch {
	case errors.As(err, &failed):
		err = fmt.Errorf("tests fail on Linux %s: exit status %s", m.kernel, failed.Code)
	case err == nil && strings.Contains(out, noTests):
		err = fmt.Errorf("there are no tests %q", args)
	}
	return out, err
}
