package archtest

import (
	"go/ast"
	"path"
	"slices"
	"strings"
)

// world lists the standard packages by which a program touches the world, or is
// touched by it.
var world = []string{
	"context", "crypto/rand", "io/ioutil", "log/...", "net", "net/http/...", "net/rpc/...", "os/...",
	"plugin", "syscall/...", "testing/...",
}

// clock lists what the time package has that looks at the clock, or waits for it.
var clock = []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}

// purity holds the pure files to values in, values out.
func (c *checker) purity() {
	for _, f := range c.files {
		if !f.program() || !matches(f.path, c.Pure) || matches(f.path, c.Impure) {
			continue
		}
		for spec, name := range f.imports {
			if _, ours := c.ours(name); ours {
				continue // the arrows hold these
			}
			first, _, _ := strings.Cut(name, "/")
			if others := strings.Contains(first, "."); others || within(name, world) {
				c.report(f.path, spec.Pos(), "a pure file may not import %s", name)
			}
		}
		for _, use := range c.uses(f, "time", clock) {
			c.report(f.path, use.Pos(), "a pure file may not use time.%s", use.Sel.Name)
		}
	}
}

// uses finds where a file names any of an imported package's functions.
func (c *checker) uses(f *file, pkg string, functions []string) []*ast.SelectorExpr {
	local := ""
	for spec, name := range f.imports {
		if name == pkg {
			local = path.Base(name)
			if spec.Name != nil {
				local = spec.Name.Name
			}
		}
	}
	return selectors(f, func(x, sel string) bool { return x == local && slices.Contains(functions, sel) })
}

// selectors finds every x.sel that match likes.
func selectors(f *file, match func(x, sel string) bool) []*ast.SelectorExpr {
	var found []*ast.SelectorExpr
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && match(x.Name, s.Sel.Name) {
				found = append(found, s)
			}
		}
		return true
	})
	return found
}

func matches(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}
