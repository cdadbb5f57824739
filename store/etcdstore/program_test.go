package etcdstore

import (
	"os/exec"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"weft/internal/testenv"
	"weft/store"
	"weft/store/storetest"
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
	c.dial(c.options())
	config, err := c.options().config()
	if err != nil {
		t.Fatal(err)
	}
	client, err := clientv3.New(config)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	factory := func(t *testing.T) store.Store {
		s, err := Open(t.Context(), client, Options{Prefix: "/" + testenv.Name(t, "weft"), Now: storetest.Now})
		return opened(t, s, err)
	}
	storetest.Run(t, factory)
	storetest.Blocks(t, factory)
}
