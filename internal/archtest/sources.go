package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// sources is a parsed source tree.
type sources struct {
	fset  *token.FileSet
	files []*file
}

// file is one source file of ours, in whatever language. syntax is nil but for Go.
type file struct {
	path   string
	text   []byte
	syntax *ast.File
}

func (f *file) dir() string   { return path.Dir(f.path) }
func (f *file) isGo() bool    { return f.syntax != nil }
func (f *file) isTest() bool  { return strings.HasSuffix(f.path, "_test.go") }
func (f *file) lines() int    { return bytes.Count(f.text, []byte("\n")) }
func (f *file) program() bool { return f.isGo() && !f.isTest() }

// imports yields the file's import specs and their paths.
func (f *file) imports(yield func(*ast.ImportSpec, string) bool) {
	for _, spec := range f.syntax.Imports {
		// The parser has checked that it is a string.
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil || !yield(spec, name) {
			return
		}
	}
}

func (f *file) importsPath(want string) bool {
	for _, name := range f.imports {
		if name == want {
			return true
		}
	}
	return false
}

// packages groups the Go files by folder.
func (s *sources) packages() map[string][]*file {
	found := map[string][]*file{}
	for _, f := range s.files {
		if f.isGo() {
			found[f.dir()] = append(found[f.dir()], f)
		}
	}
	return found
}

// generated is the line by which tools tell their output (go help generate).
var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// parse reads every source file in the tree but generated ones, test data and
// other modules.
func parse(tree fs.FS) (*sources, error) {
	s := &sources{fset: token.NewFileSet()}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipped(tree, name)
		}
		switch path.Ext(name) {
		case ".go", ".c", ".h", ".sh":
			return s.add(tree, name)
		}
		return nil
	})
	return s, err
}

func skipped(tree fs.FS, dir string) error {
	if dir == "." {
		return nil
	}
	base := path.Base(dir)
	if base == "testdata" || base == "bin" || strings.HasPrefix(base, ".") {
		return fs.SkipDir
	}
	if _, err := fs.Stat(tree, path.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func (s *sources) add(tree fs.FS, name string) error {
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		return err
	}
	if generated.Match(text) {
		return nil
	}
	f := &file{path: name, text: text}
	if path.Ext(name) == ".go" {
		f.syntax, err = parser.ParseFile(s.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
	}
	s.files = append(s.files, f)
	return nil
}
