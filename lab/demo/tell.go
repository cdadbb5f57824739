package demo

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"weft/lab"
)

// What cannot be written to Out cannot be told there either: write errors end
// nothing, as with any program whose output is piped into head.

func (d *demo) title(s string) {
	fmt.Fprintf(d.Out, "\n%s\n%s\n", s, strings.Repeat("─", len([]rune(s))))
}

// step says what was just done, and when.
func (d *demo) step(format string, args ...any) {
	fmt.Fprintf(d.Out, "%5.1fs  %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}

func (d *demo) note(format string, args ...any) {
	fmt.Fprintf(d.Out, "          %s\n", fmt.Sprintf(format, args...))
}

func (d *demo) text(format string, args ...any) { fmt.Fprintf(d.Out, format, args...) }

// command runs a weft command on a host, and shows it with its output.
func (d *demo) command(ctx context.Context, h *lab.Host, args ...string) error {
	out, err := d.weft.Run(ctx, h, args...)
	if err != nil {
		return err
	}
	d.step("%s$ weft %s", h.Name(), strings.Join(args, " "))
	d.indented(out)
	return nil
}

// show prints a title and what a weft command says.
func (d *demo) show(ctx context.Context, h *lab.Host, title string, args ...string) error {
	out, err := d.weft.Run(ctx, h, args...)
	if err != nil {
		return err
	}
	d.title(title)
	d.text("%s$ weft %s\n", h.Name(), strings.Join(args, " "))
	d.text("%s", out)
	return nil
}

func (d *demo) indented(out string) {
	for line := range strings.Lines(out) {
		d.note("%s", strings.TrimRight(line, "\n"))
	}
}

func netnsName(path string) string { return filepath.Base(path) }
