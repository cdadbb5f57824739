package etcdstore

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"go.etcd.io/etcd/server/v3/etcdmain"

	"weft/internal/testenv"
)

// roleVar makes this test binary another program: a process of its own that a
// test can kill.
const roleVar = "WEFT_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case "":
		testenv.Main(m)
	case "etcd": // the real one, with its own command line
		etcdmain.Main(os.Args)
	case "writer":
		writer(os.Args[1])
	case "footprint":
		n, err := strconv.Atoi(os.Args[2])
		if err == nil {
			err = footprint(os.Args[1], n)
		}
		if err != nil {
			fmt.Println("error", err)
		}
	}
}

// process is this test binary in another role.
type process struct {
	*exec.Cmd
	out *bufio.Scanner
}

// spawn starts a process, which is killed when the test ends.
func spawn(t testing.TB, role string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), roleVar+"="+role)
	return run(t, cmd)
}

// run starts a command, which is killed when the test ends.
func run(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{Cmd: cmd}
	p.Stderr = io.Discard
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// kill ends the process as kill -9 does. Killing it again does nothing.
func (p *process) kill() {
	if p.ProcessState == nil {
		_ = p.Process.Kill()
		_ = p.Wait() // which says that it was killed
	}
}
