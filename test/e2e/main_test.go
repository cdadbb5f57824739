// Package e2e tests Weft as its users have it: the programs weft and weftd, on
// the three hosts of lab.Demo (a and b on one segment, c behind a router), each with
// the firewall that Docker gives a host.
//
// A test reads like what somebody types: a session has hosts, on which weft
// commands are run and workloads are attached; what Weft says is compared with
// what ip, bridge, ping, tshark and sockets say. Nothing here knows how Weft does
// it. Every test has a lab of its own, so tests run side by side.
//
// Do not add here what a test of one package can show.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.etcd.io/etcd/server/v3/etcdmain"

	"weft/internal/testenv"

	// The programs are built by the go command, which go test does not see: by
	// these it knows that its cached result is of the past when they change.
	_ "weft/cli"
	_ "weft/daemon"
)

// bin is the folder of the programs.
var bin string

// roleVar has this binary be another program.
const roleVar = "WEFT_E2E_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVar) == "etcd" { // the real one, with its own command line
		etcdmain.Main(os.Args)
		return
	}
	os.Exit(run(m))
}

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
	if dir, err = os.MkdirTemp("", "weft-e2e-"); err != nil {
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
