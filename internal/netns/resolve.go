package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// FromPID returns the path of the network namespace of a process. It is good as
// long as the process lives; the kernel may give the number to another one later.
func FromPID(pid int) string {
	return fmt.Sprintf("/proc/%d/ns/net", pid)
}

// Named returns the path of the namespace that iproute2 calls name.
func Named(name string) string {
	return filepath.Join(Dir, name)
}

// Resolve finds the namespace that a user means by NAME, PATH or PID, and
// returns its absolute path. What contains a slash is a path; a name is preferred to
// a process of that number, as iproute2 prefers it (ip link set netns).
// Errors are one line, in the user's words.
func Resolve(s string) (string, error) {
	switch {
	case s == "":
		return "", &ResolveError{Reason: "want a name, a path or a process id"}
	case strings.Contains(s, "/"):
		path, err := filepath.Abs(s)
		if err != nil {
			return "", &ResolveError{Namespace: s, Reason: err.Error(), cause: err}
		}
		return usable(s, path, "no such file")
	case s == "." || s == "..":
		return "", &ResolveError{Namespace: s, Reason: "not a name (a path needs a slash)"}
	}
	pid, err := strconv.Atoi(s)
	if err != nil || pid <= 0 || exists(Named(s)) {
		return usable(s, Named(s), "no such name in "+Dir+" (\"ip netns list\" shows them; a path or a process id will do too)")
	}
	return usable(s, FromPID(pid), fmt.Sprintf("no process %d, and no such name in %s", pid, Dir))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// usable returns path if a network namespace is there; absent says what is wrong
// if nothing is.
func usable(s, path, absent string) (string, error) {
	f, err := open(path)
	if err == nil {
		return path, f.Close()
	}
	reason := err.Error()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		reason = absent
	case errors.Is(err, fs.ErrPermission):
		reason = "not allowed to open " + path + " (are you root?)"
	case errors.Is(err, ErrNotNamespace):
		reason = path + " is " + ErrNotNamespace.Error()
	}
	return "", &ResolveError{Namespace: s, Reason: reason, cause: err}
}

// ResolveError says why what a user called a namespace is none. It unwraps to
// [fs.ErrNotExist], [fs.ErrPermission] or [ErrNotNamespace] where it is one of them.
type ResolveError struct {
	Namespace string // as the user wrote it
	Reason    string
	cause     error // or nil
}

func (e *ResolveError) Error() string {
	return fmt.Sprintf("network namespace %q: %s", e.Namespace, e.Reason)
}

// Unwrap returns the cause, which Reason says in other words.
func (e *ResolveError) Unwrap() error { return e.cause }
