// Package archtest holds Weft's architecture as a test: which package may import
// which, which files compute without touching the world, and a few habits that a
// program can see.
//
// The rules are in rules.go; a new package needs a row there. The imports are
// parsed from the sources. (Asking go list would fool the test cache, which
// knows only of files that the test itself opens.)
//
// Formatting, vetting and everything else that a linter knows stays with the
// linters.
package archtest

import (
	"cmp"
	"fmt"
	"go/token"
	"io/fs"
	"slices"
)

// Rules are what a source tree is held to. Packages are named by their folder, as
// in "store/memstore".
type Rules struct {
	// Module is the path that our packages' import paths begin with.
	Module string
	// Arrows says for every package which of ours it may import. A package that
	// has no row is part of the nearest one above that has.
	Arrows map[string][]string
	// Never says what a package may not reach by any number of steps through
	// ours: import paths, "go.etcd.io/..." for everything beneath one.
	Never map[string][]string
	// Pure lists patterns (path.Match) of files that compute and do nothing
	// else, with nothing but the standard library and ours; Impure lists
	// exceptions. Tests are never meant.
	Pure, Impure []string
	// MaxLines is the most that a file may have, MaxMain what a main.go may.
	MaxLines, MaxMain int
	// Waiters lists the folders that may sleep and skip.
	Waiters []string
}

// A Violation is one place where the tree breaks a rule.
type Violation struct {
	Path string // of the file or folder
	Line int    // or 0
	What string
}

func (v Violation) String() string {
	if v.Line == 0 {
		return v.Path + ": " + v.What
	}
	return fmt.Sprintf("%s:%d: %s", v.Path, v.Line, v.What)
}

// Check holds the tree to the rules. The violations are in order. The error says
// that a file cannot be read or parsed.
func Check(tree fs.FS, rules Rules) ([]Violation, error) {
	s, err := parse(tree)
	if err != nil {
		return nil, fmt.Errorf("parse source tree: %w", err)
	}
	c := &checker{Rules: rules, sources: s}
	c.arrows()
	c.never()
	c.purity()
	c.shape()
	c.habits()
	slices.SortStableFunc(c.found, compare)
	return c.found, nil
}

func compare(a, b Violation) int {
	return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
}

// checker gathers violations.
type checker struct {
	Rules
	*sources
	found []Violation
}

func (c *checker) report(path string, pos token.Pos, format string, args ...any) {
	line := 0
	if pos.IsValid() {
		line = c.fset.Position(pos).Line
	}
	c.found = append(c.found, Violation{Path: path, Line: line, What: fmt.Sprintf(format, args...)})
}
