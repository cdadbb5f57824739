package kernel

import (
	"path"
	"strings"
)

// Op is one change to the host. It prints as the command that makes it.
type Op interface {
	String() string
	do(*hand) error
}

// namedDir is where iproute2 looks for named namespaces.
const namedDir = "/run/netns"

// command is a command line of one of iproute2's tools, which enter a named
// namespace by themselves.
func (ns NS) command(tool string, args ...string) string {
	words := []string{tool}
	if ns != Host {
		if path.Dir(string(ns)) != namedDir {
			return ns.enter(tool, args...)
		}
		words = append(words, "-n", path.Base(string(ns)))
	}
	return line(append(words, args...)...)
}

// enter is the command line of any tool in a namespace.
func (ns NS) enter(tool string, args ...string) string {
	words := append([]string{tool}, args...)
	if ns != Host {
		words = append([]string{"nsenter", "--net=" + string(ns)}, words...)
	}
	return line(words...)
}

// reference is how ip link names a namespace that is not the host's.
func (ns NS) reference() string {
	if path.Dir(string(ns)) == namedDir {
		return path.Base(string(ns))
	}
	return string(ns)
}

// line joins words to a command line that a shell splits into the same words.
func line(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}

func quote(word string) string {
	safe := word != "" && strings.IndexFunc(word, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("-_./:@=,+%", r))
	}) < 0
	if safe {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func onOff(v bool) string {
	if v {
		return "on"
	}
	return "off"
}
