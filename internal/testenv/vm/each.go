package vm

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// hereVar tells tests in a machine that they are, and of which kernel.
const hereVar = "WEFT_TEST_VM"

// Here is the kernel of the machine that this test runs in; false outside of machines.
func Here() (Kernel, bool) {
	k := Kernel(os.Getenv(hereVar))
	return k, k != ""
}

// Each runs test as root in a machine of each kernel, where it may load every module, and
// has whatever it makes to itself.
//
// This test binary starts the machine, copies itself and its package's testdata into it,
// and runs this one test again there, which comes to this call and calls test. So what
// stands before the call runs on both sides. Subtests of test are reported as those of a
// subtest named after the kernel, and "go test -run 'TestX/6.12/ipip'" runs what it says.
//
// A machine takes two seconds to boot, and there are few at a time: one Each with many
// subtests is better than many with one.
func Each(t *testing.T, kernels []Kernel, o Options, test func(t *testing.T)) {
	t.Helper()
	if _, ok := Here(); ok {
		t.Log(begun)
		test(t)
		return
	}
	for _, k := range kernels {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			again(t, k, o)
		})
	}
}

// begun is what a test in a machine says when it has come to its call of Each. One that
// returns before would pass without a word.
const begun = "This is the machine."

// again runs the test above t in a machine.
func again(t *testing.T, k Kernel, o Options) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o.Files = maps.Clone(o.Files)
	if o.Files == nil {
		o.Files = map[string]string{}
	}
	if _, err := os.Stat("testdata"); err == nil {
		o.Files[filepath.Join(filepath.Dir(binaryPath), "testdata")] = "testdata"
	}
	o.Files[binaryPath] = self
	o.libraries = append(o.libraries, self)
	outside := filepath.Dir(t.Name())
	out, err := Start(t, k, o).runTests("-test.run="+pattern(outside), "-test.timeout=5m")
	t.Logf("on Linux %s:\n%s", k, strings.TrimSpace(out))
	if err == nil && !strings.Contains(out, begun) {
		err = fmt.Errorf("%s returns in the machine before it calls Each", outside)
	}
	for _, r := range resultsOf(out, outside) {
		t.Run(r.name, func(t *testing.T) {
			switch r.what {
			case "FAIL":
				t.Errorf("failed in the machine: see the log of %s", outside)
			case "SKIP":
				t.Errorf("skipped in the machine, which has whatever it needs: see the log of %s", outside)
			}
		})
	}
	if err != nil {
		t.Error(err)
	}
}

// pattern is what -test.run has to be for a test and, beneath it, for what this process's
// own says beneath the kernel.
func pattern(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	if f := flag.Lookup("test.run"); f != nil {
		if all := strings.Split(f.Value.String(), "/"); len(all) > len(parts)+1 {
			parts = append(parts, all[len(parts)+1:]...)
		}
	}
	return strings.Join(parts, "/")
}

// result is what became of a subtest.
type result struct{ name, what string }

var resultLine = regexp.MustCompile(`(?m)^ *--- (PASS|FAIL|SKIP): (\S+) \(`)

// resultsOf are those of the subtests of a test in what a test binary has written.
func resultsOf(out, test string) (all []result) {
	for _, m := range resultLine.FindAllStringSubmatch(out, -1) {
		if name, ok := strings.CutPrefix(m[2], test+"/"); ok {
			all = append(all, result{name, m[1]})
		}
	}
	return all
}
