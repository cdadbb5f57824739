package archtest

import (
	"regexp"
	"slices"
	"strings"
)

// shape holds files to their sizes and packages to having a doc.
func (c *checker) shape() {
	for _, f := range c.files {
		if n := f.lines(); n > c.MaxLines {
			c.report(f.path, 0, "%d lines: more than %d, which often means that a concept is missing", n, c.MaxLines)
		}
		if n := f.lines(); f.program() && f.syntax.Name.Name == "main" && n > c.MaxMain {
			c.report(f.path, 0, "%d lines: a main has at most %d", n, c.MaxMain)
		}
	}
	for dir, files := range c.packages() {
		if !slices.ContainsFunc(files, func(f *file) bool { return f.syntax.Doc != nil }) {
			c.report(dir, 0, "the package has no doc comment")
		}
	}
}

// unfinished finds what says of itself that it is.
var unfinished = regexp.MustCompile(`\b(TODO|FIXME)\b|//\s*nolint`)

// habits finds sleeping, skipping and unfinished work.
func (c *checker) habits() {
	for _, f := range c.files {
		if within(f.dir(), c.Waiters) {
			continue
		}
		for i, line := range strings.Split(string(f.text), "\n") {
			if mark := unfinished.FindString(line); mark != "" {
				c.found = append(c.found, Violation{f.path, i + 1, mark + ": finish it, or write an issue"})
			}
		}
		if !f.isGo() {
			continue
		}
		// In a synctest bubble a sleep takes no time.
		if !f.importsPath("testing/synctest") {
			for _, use := range c.uses(f, "time", []string{"Sleep"}) {
				c.report(f.path, use.Pos(), "time.Sleep: wait for a condition (testenv.Eventually), or for a timer and the context")
			}
		}
		// A rapid test skips single cases.
		if f.isTest() && !f.importsPath("pgregory.net/rapid") {
			for _, use := range selectors(f, skips) {
				c.report(f.path, use.Pos(), "%s: skip through testenv, which knows when not to", use.Sel.Name)
			}
		}
	}
}

func skips(x, sel string) bool {
	return slices.Contains([]string{"t", "tb", "b", "f"}, x) && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel)
}
