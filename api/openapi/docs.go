package openapi

import (
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
)

// Docs are what sources say about their types.
type Docs struct {
	// comments are by "package.Type" and "package.Type.Field".
	comments map[string]string
	// values are the constants of "package.Type", in order.
	values map[string][]string
}

// ReadDocs reads the Go files, tests aside, of some folders.
func ReadDocs(dirs ...string) (Docs, error) {
	d := Docs{comments: map[string]string{}, values: map[string][]string{}}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			return d, fmt.Errorf("list %s: %w", dir, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
			if err != nil {
				return d, fmt.Errorf("parse source: %w", err)
			}
			d.file(parsed)
		}
	}
	return d, nil
}

func (d Docs) file(f *ast.File) {
	for _, decl := range f.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range group.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				d.typ(f.Name.Name+"."+spec.Name.Name, spec, group)
			case *ast.ValueSpec:
				d.constant(f.Name.Name, spec, group)
			}
		}
	}
}

func (d Docs) typ(name string, spec *ast.TypeSpec, group *ast.GenDecl) {
	text := spec.Doc
	if text == nil {
		text = group.Doc
	}
	d.comments[name] = plain(text)
	body, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range body.Fields.List {
		about := field.Doc
		if about == nil {
			about = field.Comment
		}
		for _, ident := range field.Names {
			d.comments[name+"."+ident.Name] = plain(about)
		}
	}
}

// constant takes down typed string constants: they are a type's enumeration.
func (d Docs) constant(pkg string, spec *ast.ValueSpec, group *ast.GenDecl) {
	typ, ok := spec.Type.(*ast.Ident)
	if !ok || group.Tok != token.CONST {
		return
	}
	for _, v := range spec.Values {
		if literal, ok := v.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if value, err := strconv.Unquote(literal.Value); err == nil {
				name := pkg + "." + typ.Name
				d.values[name] = append(d.values[name], value)
			}
		}
	}
}

// plain is a comment as one paragraph.
func plain(c *ast.CommentGroup) string {
	var p comment.Parser
	text := (&comment.Printer{TextWidth: -1}).Text(p.Parse(c.Text()))
	return strings.Join(strings.Fields(string(text)), " ")
}
