package manifest

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Error says what is wrong in a manifest, and where.
type Error struct {
	File string
	Line int // from 1; 0 when it is about the whole file
	// Path is the field, "spec.subnets[1]"; empty for what is no field's fault.
	Path   string
	Reason string
}

// Error returns "FILE:LINE: FIELD: REASON".
func (e *Error) Error() string {
	where := e.File
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	if e.Path != "" {
		where += ": " + e.Path
	}
	return where + ": " + e.Reason
}

// errorAt makes an Error about a node; the file is filled in by Decode.
func errorAt(n *yaml.Node, path, format string, args ...any) *Error {
	return &Error{Line: n.Line, Path: path, Reason: fmt.Sprintf(format, args...)}
}
