package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Text writes the report as tables for a terminal.
func (r *Report) Text(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n", r.circumstances())
	for i := range r.Parts {
		p := &r.Parts[i]
		fmt.Fprintf(&b, "\n%s\n", p.title())
		if err := p.grid().text(&b); err != nil {
			return err
		}
	}
	if g := verdicts(r.Verdicts()); g != nil {
		fmt.Fprintln(&b)
		if err := g.text(&b); err != nil {
			return err
		}
	}
	for _, name := range r.leftOut() {
		fmt.Fprintf(&b, "\nleft out: %s: %s\n", name, r.LeftOut[name])
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Markdown returns the report's tables as Markdown, with the plot, a file beside the
// document.
func (r *Report) Markdown(plot string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "    %s\n\n%s.\n", r.Command, r.circumstances())
	fmt.Fprintf(&b, "\n![how the ways compare](%s)\n", plot)
	for i := range r.Parts {
		p := &r.Parts[i]
		fmt.Fprintf(&b, "\n**%s**", p.Name)
		if p.About != "" {
			fmt.Fprintf(&b, ": %s", p.About)
		}
		b.WriteString("\n\n")
		p.grid().markdown(&b)
	}
	if g := verdicts(r.Verdicts()); g != nil {
		b.WriteString("\n")
		g.markdown(&b)
	}
	for _, name := range r.leftOut() {
		fmt.Fprintf(&b, "\nLeft out: %s: %s.\n", name, r.LeftOut[name])
	}
	return b.String()
}

// JSON writes the report with the figures of every round.
func (r *Report) JSON(w io.Writer) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return err
	}
	_, err := w.Write(numbers.ReplaceAllFunc(b.Bytes(), oneLine))
	return err
}

// numbers is a list of them, over several lines.
var numbers = regexp.MustCompile(`\[\s+[-+.0-9e,\s]+\]`)

func oneLine(list []byte) []byte {
	return bytes.ReplaceAll(bytes.Join(bytes.Fields(list), nil), []byte(","), []byte(", "))
}

func (p *Part) title() string {
	if p.About == "" {
		return p.Name
	}
	return p.Name + ": " + p.About
}

// circumstances are what figures are worth nothing without.
func (r *Report) circumstances() string {
	rounds := "medians and quartiles of " + strconv.Itoa(r.Rounds) + " rounds"
	if r.Rounds == 1 {
		rounds = "one round"
	}
	return fmt.Sprintf("%s, %s, %d CPUs of %s; %s, %v each, TCP with %s; CPUs busy with other things before: %.2f",
		r.Began.UTC().Format("2006-01-02"), r.Machine.Kernel, r.Machine.CPUs, r.Machine.CPU, rounds, r.Span, r.Congestion, r.Busy)
}
