package vm

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

//go:embed init.sh
var initScript string

// tools are this host's commands that all machines have. The kernel calls modprobe, which
// is one of busybox's.
var tools = []string{"busybox", "sh", "ip", "bridge", "tc", "ethtool", "ping"}

// root is the module's folder.
func root() string {
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil || at == "/" {
			return at
		}
	}
}

// cache is where test/kernels puts the kernels.
func cache() string { return filepath.Join(root(), ".cache", "kernels") }

func (k Kernel) dir() string { return filepath.Join(cache(), string(k)) }

// writeInitramfs writes all files of a machine to one.
func writeInitramfs(to string, k Kernel, o Options) (err error) {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	a := &archive{w: w, made: map[string]bool{}}
	if err := a.write("/init", 0o100755, int64(len(initScript)), strings.NewReader(initScript)); err != nil {
		return err
	}
	if err := a.add("/", filepath.Join(k.dir(), "modules")); err != nil {
		return err
	}
	programs, err := a.addTools(slices.Concat(tools, o.Tools))
	if err != nil {
		return err
	}
	if err := a.addLibraries(append(programs, o.libraries...)); err != nil {
		return err
	}
	for at, from := range o.Files {
		if err := a.add(at, from); err != nil {
			return err
		}
	}
	return errors.Join(a.end(), w.Flush())
}

// addTools adds commands, and returns where this host has them.
func (a *archive) addTools(names []string) (found []string, err error) {
	for _, name := range names {
		at, err := exec.LookPath(name)
		if err != nil {
			return nil, err
		}
		found = append(found, at)
		if err := a.addFile("/bin/"+name, at); err != nil {
			return nil, err
		}
	}
	return found, a.addFile("/sbin/modprobe", found[slices.Index(names, "busybox")])
}

// addLibraries adds what programs load.
func (a *archive) addLibraries(programs []string) error {
	libraries, err := librariesOf(programs)
	if err != nil {
		return err
	}
	for _, name := range libraries {
		if err := a.addFile(name, name); err != nil {
			return err
		}
	}
	return nil
}

// library is a file in what ldd says: "libc.so.6 => /lib/…/libc.so.6 (0x…)", "/lib64/ld-… (0x…)".
var library = regexp.MustCompile(`(/\S+) \(0x`)

// librariesOf are the files that programs load.
func librariesOf(programs []string) ([]string, error) {
	// Its exit code tells that one of them is static, as busybox is to be.
	out, err := exec.Command("ldd", programs...).Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, fmt.Errorf("run ldd: %w", err)
	}
	seen := map[string]bool{}
	var all []string
	for _, m := range library.FindAllStringSubmatch(string(out), -1) {
		if !seen[m[1]] {
			seen[m[1]] = true
			all = append(all, m[1])
		}
	}
	return all, nil
}
