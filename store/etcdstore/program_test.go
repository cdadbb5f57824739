package etcdstore

import (
	"os/exec"
	"testing"

	"weft/internal/testenv"
)

// TestInstalledProgram runs the contract on the etcd that this machine has installed,
// of whatever version: Debian's etcd-server is 3.4. It is part of make soak alone:
// who tries make test does not want an etcd to be installed, which starts it.
func TestInstalledProgram(t *testing.T) {
	t.Parallel()
	if testenv.Rounds(0, 1) == 0 {
		return
	}
	program, err := exec.LookPath("etcd")
	if err != nil {
		testenv.Skip(t, "needs an etcd of its own in PATH, such as that of Debian's package etcd-server")
	}
	c := startProgram(t, program, newCertificates(t))
	c.contract(t)
}
