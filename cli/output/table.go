package output

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Column is one property of the things that are printed.
type Column[T any] struct {
	Title string
	// Wide columns are left out of Table.
	Wide bool
	Cell func(T) string
}

// gap separates a table's columns.
const gap = "  "

// List prints items: a line each below the titles, or all as one JSON or YAML
// list. A cell without text is printed as a dash.
func List[T any](w io.Writer, f Format, items []T, columns []Column[T]) error {
	if f.Structured() {
		if items == nil {
			items = []T{}
		}
		return encode(w, f, items)
	}
	columns = shown(f, columns)
	rows := [][]string{make([]string, len(columns))}
	for i, c := range columns {
		rows[0][i] = strings.ToUpper(c.Title)
	}
	for _, item := range items {
		row := make([]string, len(columns))
		for i, c := range columns {
			row[i] = dash(c.Cell(item))
		}
		rows = append(rows, row)
	}
	return align(w, rows)
}

// One prints a single item: a line for each property, or the item itself as
// JSON or YAML. Properties without text are left out.
func One[T any](w io.Writer, f Format, item T, columns []Column[T]) error {
	if f.Structured() {
		return encode(w, f, item)
	}
	var rows [][]string
	for _, c := range shown(f, columns) {
		label := c.Title + ":"
		for line := range strings.SplitSeq(c.Cell(item), "\n") {
			if line != "" {
				rows = append(rows, []string{label, line})
				label = ""
			}
		}
	}
	return align(w, rows)
}

// Lines prints texts: a line each, or all as one JSON or YAML list.
func Lines(w io.Writer, f Format, texts []string) error {
	if f.Structured() {
		return List(w, f, texts, nil)
	}
	rows := make([][]string, len(texts))
	for i, s := range texts {
		rows[i] = []string{s}
	}
	return align(w, rows)
}

func shown[T any](f Format, columns []Column[T]) []Column[T] {
	var list []Column[T]
	for _, c := range columns {
		if f == Wide || !c.Wide {
			list = append(list, c)
		}
	}
	return list
}

// align writes rows with their columns below each other, in one write.
func align(w io.Writer, rows [][]string) error {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + gap)
		}
		text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}
