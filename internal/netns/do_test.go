package netns_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/internal/testenv"
)

// thisThread is the calling thread's namespace.
const thisThread = "/proc/thread-self/ns/net"

func TestDoIsInside(t *testing.T) {
	t.Parallel()
	path := testenv.Namespace(t)
	want, err := netns.ID(path)
	if err != nil {
		t.Fatal(err)
	}
	outside, err := netns.ID(thisThread)
	if err != nil {
		t.Fatal(err)
	}
	var g errgroup.Group
	for range 100 {
		g.Go(func() error {
			return netns.Do(path, func() error {
				if unix.Gettid() == unix.Getpid() {
					return errors.New("runs on the process's first thread")
				}
				return sameNS(want)
			})
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	// Every thread that is left is back.
	tasks, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 5*time.Second, func() error {
		for _, task := range tasks {
			if id, err := netns.ID(task); err == nil && id == want {
				return fmt.Errorf("%s is in the namespace", task)
			}
		}
		return sameNS(outside)
	}, "threads come back")
}

func sameNS(want netns.Identity) error {
	got, err := netns.ID(thisThread)
	if err == nil && got != want {
		err = fmt.Errorf("in namespace %v, want %v", got, want)
	}
	return err
}

func TestDoReturnsTheError(t *testing.T) {
	t.Parallel()
	want := errors.New("mine")
	if err := netns.Do(testenv.Namespace(t), func() error { return want }); err != want {
		t.Errorf("want the function's error, got %v", err)
	}
}

func TestDoNests(t *testing.T) {
	t.Parallel()
	outer, inner := testenv.Namespace(t), testenv.Namespace(t)
	want, err := netns.ID(inner)
	if err != nil {
		t.Fatal(err)
	}
	err = netns.Do(outer, func() error {
		return netns.Do(inner, func() error { return sameNS(want) })
	})
	if err != nil {
		t.Error(err)
	}
}

func TestDoPassesGoexitOn(t *testing.T) {
	t.Parallel()
	path := testenv.Namespace(t)
	after := make(chan bool)
	go func() {
		defer close(after)
		_ = netns.Do(path, func() error { runtime.Goexit(); return nil })
		after <- true
	}()
	if <-after {
		t.Error("the caller went on")
	}
}

func TestDoGivesUpAThreadThatCannotComeBack(t *testing.T) {
	t.Parallel()
	path := testenv.Namespace(t)
	var thread string
	err := netns.Do(path, func() error {
		thread = fmt.Sprintf("/proc/self/task/%d", unix.Gettid())
		return dropCapabilities() // and with them the right to setns
	})
	if err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 5*time.Second, func() error {
		if _, err := os.Stat(thread); err == nil {
			return fmt.Errorf("%s lives", thread)
		}
		return nil
	}, "thread ends")
}

// dropCapabilities takes all rights from the calling thread alone.
func dropCapabilities() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&head, &none[0])
}

// A namespace of its own is there while something in it is open, and has nothing in it
// but a loopback.
func TestDoAlone(t *testing.T) {
	t.Parallel()
	outside, err := netns.ID(thisThread)
	if err != nil {
		t.Fatal(err)
	}
	if err := netns.DoAlone(func() error {
		if sameNS(outside) == nil {
			return errors.New("runs in the caller's namespace")
		}
		links, err := net.Interfaces()
		if err == nil && (len(links) != 1 || links[0].Name != "lo") {
			err = fmt.Errorf("links %v", links)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if err := sameNS(outside); err != nil {
		t.Error(err)
	}
}
