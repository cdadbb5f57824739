// Package output prints what commands read: as a table for people, or as JSON
// or YAML for programs. All three come from the same values; JSON and YAML have
// every field of them, under the names of their JSON tags and in that order.
package output

import (
	"fmt"
	"strings"
)

// Format is how something is printed. It is a flag's value (pflag.Value).
type Format string

const (
	Table Format = "table"
	// Wide is Table with the columns that few need.
	Wide Format = "wide"
	JSON Format = "json"
	YAML Format = "yaml"
)

// Formats lists all formats.
func Formats() []string { return []string{string(Table), string(Wide), string(JSON), string(YAML)} }

// String returns the format's name.
func (f *Format) String() string { return string(*f) }

// Set reads a format's name.
func (f *Format) Set(s string) error {
	for _, known := range Formats() {
		if s == known {
			*f = Format(s)
			return nil
		}
	}
	return fmt.Errorf("want %s", strings.Join(Formats(), ", "))
}

// Type names the value in help texts.
func (f *Format) Type() string { return "FORMAT" }

// Structured reports whether the format is for programs.
func (f Format) Structured() bool { return f == JSON || f == YAML }
