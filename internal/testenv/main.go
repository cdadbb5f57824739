package testenv

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// settle is how long what a test has ended may take to go: the kernel takes
// namespaces and links down in the background.
const settle = 5 * time.Second

// Main runs a package's tests and ends the process. It fails the run if they
// leave goroutines, open files, processes, mounts (which named namespaces are, and
// where BPF objects are pinned), links or nft tables behind. Every package whose tests make
// any of these calls it from its TestMain.
func Main(m *testing.M) {
	os.Exit(Checked(m).Run())
}

// Checked returns m with the leak check of [Main], for use where something else
// (testscript.Main) calls Run.
func Checked(m *testing.M) interface{ Run() int } {
	return checked{m}
}

type checked struct{ m *testing.M }

// collect is when garbage is collected, in percent of what is in use: tests have little there, and much
// of what they would spend on it.
const collect = 400

func (c checked) Run() int {
	defer markChildren()()
	debug.SetGCPercent(collect)
	before, err := survey(residues)
	if err != nil {
		fmt.Fprintln(os.Stderr, "leak check:", err)
		return 2
	}
	code := c.m.Run()
	if err := settled(before); err != nil {
		fmt.Fprintln(os.Stderr, "--- FAIL: the tests leave behind:", err)
		return max(code, 1)
	}
	return code
}

// settled waits until nothing is there that was not there before. Its error has
// a line for each thing that stays.
func settled(before []map[string]string) error {
	return poll(settle, func() error {
		now, err := survey(residues)
		if err != nil {
			return err
		}
		if left := added(before, now); len(left) > 0 {
			return errors.New("\n" + strings.Join(left, "\n"))
		}
		return nil
	})
}
