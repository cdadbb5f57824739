// Package articles tests Weft with what people type who build overlays by hand: the command
// blocks of articles about IPIP, GRE and VXLAN, verbatim, in testdata, each under the name of its
// article and its lines there.
//
// One host is built by a block, with the real ip and bridge. The other has a file of
// examples/local and "weft apply --local", and neither server nor store. They have to talk, and so
// do two hosts of Weft's; "weft explain" has to print the block again.
//
// What this kernel lacks the devices for is done in a virtual machine, one for the package.
//
// Do not add here what is in no article.
package articles

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"weft/internal/testenv"

	// The programs are built by the go command, which go test does not see: by
	// these it knows that its cached result is of the past when they change.
	_ "weft/cli"
	_ "weft/daemon"
)

// bin is the folder of the programs.
var bin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if os.Geteuid() == 0 { // else every test is skipped
		dir, err := build()
		defer os.RemoveAll(dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		bin = dir
	}
	return testenv.Checked(m).Run()
}

// build builds the programs as make build does.
func build() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "weft-articles-"); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", dir, "./cmd/weft", "./cmd/weftd")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return dir, nil
}
