package archtest

import (
	"path"
	"slices"
	"strings"
)

// arrows holds what programs import of ours to the table. Tests are free: what
// only they may import has no row that names it.
func (c *checker) arrows() {
	for dir, files := range c.packages() {
		from, known := c.part(dir)
		for _, f := range files {
			if !f.program() {
				continue
			}
			if !known {
				c.report(dir, 0, "the package has no row in internal/archtest/rules.go")
				break
			}
			for spec, name := range f.imports {
				imported, ours := c.ours(name)
				if to, _ := c.part(imported); ours && to != from && !slices.Contains(c.Arrows[from], to) {
					c.report(f.path, spec.Pos(), "%s may not import %s (the arrows are in internal/archtest/rules.go)", from, imported)
				}
			}
		}
	}
}

// part returns the row that a package belongs to: its own, or the nearest above.
func (c *checker) part(dir string) (row string, ok bool) {
	for ; dir != "."; dir = path.Dir(dir) {
		if _, ok := c.Arrows[dir]; ok {
			return dir, true
		}
	}
	return "", false
}

// never holds what programs reach through our packages, by any number of steps,
// to the table.
func (c *checker) never() {
	packages := c.packages()
	for from, forbidden := range c.Never {
		reached := map[string]bool{}
		var visit func(dir, way string)
		visit = func(dir, way string) {
			if reached[dir] {
				return
			}
			reached[dir] = true
			for _, f := range packages[dir] {
				for spec, name := range f.imports {
					to, ours := c.ours(name)
					switch {
					case !f.program():
					case within(name, forbidden) || ours && within(to, forbidden):
						c.report(f.path, spec.Pos(), "%s → %s: may not get there", way, name)
					case ours:
						visit(to, way+" → "+to)
					}
				}
			}
		}
		visit(from, from)
	}
}

// ours returns the folder of an import path, if it is of our module.
func (c *checker) ours(name string) (dir string, ok bool) {
	return strings.CutPrefix(name, c.Module+"/")
}

// within says whether name is in the list, in which "a/..." is a and everything
// beneath it.
func within(name string, list []string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		tree, isTree := strings.CutSuffix(entry, "/...")
		return name == tree || isTree && strings.HasPrefix(name, tree+"/")
	})
}
