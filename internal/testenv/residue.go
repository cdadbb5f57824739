package testenv

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/google/nftables"
)

// A residue is one kind of thing that tests can leave behind. list returns what is
// there and may be ours: an identifying key, and a description.
type residue struct {
	kind string
	list func() (map[string]string, error)
}

var residues = []residue{
	{"goroutine", goroutines},
	{"open file", openFiles},
	{"process", processes},
	{"mount", mounts},
	{"link", links},
	{"nft table", nftTables},
}

// survey lists all kinds of residue.
func survey(kinds []residue) ([]map[string]string, error) {
	found := make([]map[string]string, len(kinds))
	for i, r := range kinds {
		var err error
		if found[i], err = r.list(); err != nil {
			return nil, fmt.Errorf("list every %s: %w", r.kind, err)
		}
	}
	return found, nil
}

// added describes what is in now and was not there before, in order.
func added(before, now []map[string]string) []string {
	var lines []string
	for i, r := range residues {
		for key, description := range now[i] {
			if _, was := before[i][key]; !was {
				lines = append(lines, r.kind+" "+description)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// goroutines lists all but the calling one, and but the one that os/signal starts
// on its first use and never ends.
func goroutines() (map[string]string, error) {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	found := map[string]string{}
	for i, stack := range strings.Split(string(buf), "\n\n") {
		id, _, _ := strings.Cut(stack, " [")
		if i > 0 && !strings.Contains(stack, "os/signal.loop()") {
			found[id] = stack
		}
	}
	return found, nil
}

// openFiles lists this process's file descriptors. A pipe comes first, so that
// the runtime's poller, which has two of its own, is there from the start.
func openFiles() (map[string]string, error) {
	if r, w, err := os.Pipe(); err != nil {
		return nil, err
	} else if err := errors.Join(r.Close(), w.Close()); err != nil {
		return nil, err
	}
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // the folder's own descriptor
		}
		if err != nil {
			return nil, err
		}
		found[e.Name()+target] = e.Name() + " on " + target
	}
	return found, nil
}

// tagVar marks, in their environment, the processes that descend from this one,
// also those that have gone to another parent.
const tagVar = "WEFT_TEST_TAG"

func markChildren() (unmark func()) {
	os.Setenv(tagVar, tag)
	return func() { os.Unsetenv(tagVar) }
}

// processes lists this process's children and whoever carries our tag.
func processes() (map[string]string, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, path := range stats {
		dir := filepath.Dir(path)
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		environ, _ := os.ReadFile(filepath.Join(dir, "environ")) // not ours, if we may not
		pid := filepath.Base(dir)
		ours := parent(stat) == os.Getpid() || bytes.Contains(environ, []byte(tagVar+"="+tag+"\x00"))
		if ours && pid != strconv.Itoa(os.Getpid()) {
			found[pid] = string(stat[:bytes.LastIndexByte(stat, ')')+1])
		}
	}
	return found, nil
}

// parent takes the parent's id from /proc/PID/stat (proc(5)): "PID (COMMAND)
// STATE PPID …", where the command may hold anything.
func parent(stat []byte) int {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(fields[1])
	return ppid
}

// mounts lists the mounts with our tag. Named namespaces are among them, and so are BPF
// file systems: Weft's pins are in one that it mounts itself.
func mounts() (map[string]string, error) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for line := range strings.Lines(string(info)) {
		// Field 5 is the mount point (proc(5)).
		if f := strings.Fields(line); len(f) > 4 && strings.Contains(f[4], tag) {
			found[f[0]] = f[4]
		}
	}
	return found, nil
}

// links lists the links with our tag outside namespaces.
func links() (map[string]string, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, l := range all {
		if strings.Contains(l.Name, tag) {
			found[l.Name] = l.Name
		}
	}
	return found, nil
}

// nftTables lists the tables with our tag outside namespaces. Only root can have
// made some.
func nftTables() (map[string]string, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	all, err := (&nftables.Conn{}).ListTables()
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, table := range all {
		if strings.Contains(table.Name, tag) {
			found[table.Name] = table.Name
		}
	}
	return found, nil
}
