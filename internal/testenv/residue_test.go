package testenv

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/nftables"

	"weft/internal/netns"
)

// leakVar tells a child test process, in TestLeakOneGoroutine, to leak.
const leakVar = "WEFT_TESTENV_LEAK"

// Each kind is made, found, removed and no longer found. Not parallel: other
// tests' namespaces and files come and go.
func TestResidueIsFound(t *testing.T) {
	NeedRoot(t)
	Need(t, "ip", "sleep")
	for _, tt := range []struct {
		kind string
		make func(t *testing.T, name string) (remove func() error)
	}{
		{"goroutine", func(t *testing.T, _ string) func() error {
			end, ended := make(chan bool), make(chan bool)
			go func() { defer close(ended); <-end }()
			return func() error { close(end); <-ended; return nil }
		}},
		{"open file", func(t *testing.T, _ string) func() error {
			f, err := os.Open("/dev/null")
			if err != nil {
				t.Fatal(err)
			}
			return f.Close
		}},
		{"process", func(t *testing.T, _ string) func() error {
			cmd := exec.Command("sleep", "1000")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			return func() error { _ = cmd.Process.Kill(); _ = cmd.Wait(); return nil }
		}},
		{"process", daemon},
		{"mount", func(t *testing.T, name string) func() error {
			if err := netns.Create(netns.Named(name)); err != nil {
				t.Fatal(err)
			}
			return func() error { return netns.Delete(netns.Named(name)) }
		}},
		{"link", func(t *testing.T, name string) func() error {
			Run(t, "", "ip", "link", "add", name, "type", "veth")
			return func() error {
				_, err := netns.Output(context.Background(), "", "ip", "link", "del", name)
				return err
			}
		}},
		{"nft table", func(t *testing.T, name string) func() error {
			var c nftables.Conn
			table := c.AddTable(&nftables.Table{Name: name, Family: nftables.TableFamilyINet})
			if err := c.Flush(); err != nil {
				t.Fatal(err)
			}
			return func() error { c.DelTable(table); return c.Flush() }
		}},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			before := lookAround(t)
			remove := tt.make(t, Name(t, "leak"))
			found := added(before, lookAround(t))
			if !strings.Contains("\n"+strings.Join(found, "\n"), "\n"+tt.kind+" ") {
				t.Errorf("want a %s, found %q", tt.kind, found)
			}
			if err := remove(); err != nil {
				t.Error(err)
			}
			if err := settled(before); err != nil {
				t.Errorf("after it was removed: %v", err)
			}
		})
	}
}

// daemon starts a process that is no child of ours any more.
func daemon(t *testing.T, _ string) func() error {
	t.Helper()
	pid := strings.TrimSpace(Output(t, "", "sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!"))
	return func() error {
		_, err := netns.Output(context.Background(), "", "kill", pid)
		return err
	}
}

func lookAround(t *testing.T) []map[string]string {
	t.Helper()
	found, err := survey(residues)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A whole test run that leaks fails and says what.
func TestLeakOneGoroutine(t *testing.T) {
	t.Parallel()
	if os.Getenv(leakVar) != "" {
		go func() { select {} }()
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), leakVar+"=1")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("want exit code 1, got %v", err)
	}
	if want := filepath.Base(t.Name()) + ".func1"; !strings.Contains(string(out), "the tests leave behind") || !strings.Contains(string(out), want) {
		t.Errorf("want the goroutine's stack, got\n%s", out)
	}
}
