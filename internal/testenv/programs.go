package testenv

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// WithPrograms is [Checked] for tests that run the programs weft and weftd. It builds them into
// a folder that is in *bin until the tests have run. Without root, when such tests are
// skipped, it builds none.
//
// The go command does not know that the tests depend on them: their package imports weft/cli and
// weft/daemon for nothing else, so that a result from before these changed is not taken from a cache.
func WithPrograms(m *testing.M, bin *string) interface{ Run() int } {
	return withPrograms{m, bin}
}

type withPrograms struct {
	m   *testing.M
	bin *string
}

func (w withPrograms) Run() int {
	flag.Parse()
	if os.Geteuid() == 0 {
		dir, err := os.MkdirTemp("", "weft-programs-")
		defer os.RemoveAll(dir)
		if err == nil {
			err = BuildPrograms(dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		*w.bin = dir
	}
	return Checked(w.m).Run()
}

// BuildPrograms builds weft and weftd as make build does, into a folder. The working directory is
// that of a package below test, or another as deep.
func BuildPrograms(dir string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-o", dir, "./cmd/weft", "./cmd/weftd")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}
