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
	"os"
	"testing"

	"go.etcd.io/etcd/server/v3/etcdmain"

	"weft/internal/testenv"

	// See testenv.WithPrograms.
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
	os.Exit(testenv.WithPrograms(m, &bin).Run())
}
