package user

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"weft/internal/testenv"
)

// asForwarder is the variable that has the run directory of which this program is to be the
// forwarder's process, and not the tests.
const asForwarder = "WEFT_TEST_FORWARD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asForwarder); dir != "" {
		os.Exit(forwardIn(dir))
	}
	if err := pin(); err != nil { // the contract's order stands on it
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testenv.Main(m)
}

// pin holds this process to the first CPU that it may run on.
func pin() error {
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	for cpu := range len(allowed) * 64 {
		if allowed.IsSet(cpu) {
			one.Set(cpu)
			break
		}
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &one); err != nil {
			return os.NewSyscallError("sched_setaffinity", err)
		}
	}
	return nil
}

// forwardIn is the forwarder's process.
func forwardIn(dir string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	s := Server{Dir: dir, Version: os.Getenv(asForwarder + "_VERSION"), Log: log, Ready: func() { _ = SayReady(os.Stdout) }}
	if err := s.Serve(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
