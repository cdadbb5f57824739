package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"weft/internal/testenv"
)

// reference is the folder of the generated documents, from testdata.
const reference = "../../docs/cli"

// TestReference holds docs/cli to the help texts: a page for each of weft's
// commands with those below it, and one that lists them. -update writes them.
func TestReference(t *testing.T) {
	t.Parallel()
	root := newRoot(&app{})
	pages := map[string]string{"README.md": index(root)}
	for _, c := range root.Commands() {
		pages[c.Name()+".md"] = page(c)
	}
	for name, text := range pages {
		testenv.Golden(t, filepath.Join(reference, name), text)
	}
	files, err := os.ReadDir(filepath.Join("testdata", reference))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if _, known := pages[f.Name()]; !known {
			t.Errorf("docs/cli/%s is of no command; remove it", f.Name())
		}
	}
}

const generated = "<!-- Generated from the help texts by go test ./cli -update. -->\n"

// index is the first page: weft's own help and the list of commands.
func index(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString(generated + "\n# weft\n\n" + fenced(describe(root)) + "\n## Commands\n\n| command | |\n|---|---|\n")
	for _, c := range flat(root)[1:] {
		file := strings.Fields(c.CommandPath())[1] + ".md"
		fmt.Fprintf(&b, "| [%s](%s#%s) | %s |\n", c.CommandPath(), file, anchor(c), c.Short)
	}
	b.WriteString("\nExit codes are in [exit-codes.md](../exit-codes.md).\n")
	return b.String()
}

func page(cmd *cobra.Command) string {
	var b strings.Builder
	b.WriteString(generated)
	for i, c := range flat(cmd) {
		level := "#"
		if i > 0 {
			level = "##"
		}
		fmt.Fprintf(&b, "\n%s %s\n\n%s", level, c.CommandPath(), fenced(describe(c)))
	}
	return b.String()
}

func fenced(text string) string { return "```text\n" + text + "```\n" }

// anchor is how GitHub and its like link to a heading.
func anchor(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// flat is the command and all below it, each before its subcommands.
func flat(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		all = append(all, flat(c)...)
	}
	return all
}

// TestHelpIsComplete holds that every command says what it does, and shows how,
// in lines that fit a terminal.
func TestHelpIsComplete(t *testing.T) {
	t.Parallel()
	for _, c := range flat(newRoot(&app{})) {
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s: without a description or an example", c.CommandPath())
		}
		for line := range strings.Lines(c.Long + "\n" + c.Example) {
			if len(line) > 90 {
				t.Errorf("%s: a line of its help has %d characters: %s", c.CommandPath(), len(line), line)
			}
		}
	}
}

// TestReadsHaveFormats holds that every command that reads takes -o.
func TestReadsHaveFormats(t *testing.T) {
	t.Parallel()
	silent := []string{ // commands that read nothing, or print scripts and text
		"apply", "clean", "completion", "demo", "delete", "detach", "diff", "down", "help", "login", "migrate-plane",
		"rm", "serve",
	}
	for _, c := range flat(newRoot(&app{})) {
		if c.HasSubCommands() || slices.Contains(silent, c.Name()) {
			continue
		}
		if c.Flags().Lookup("output") == nil {
			t.Errorf("%s has no --output", c.CommandPath())
		}
	}
}

// TestExamples parses every example: its command is there, and takes its flags
// and arguments.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, c := range flat(newRoot(&app{})) {
		for _, line := range calls(c.Example) {
			if err := parses(line); err != nil {
				t.Errorf("%s: example %q: %v", c.CommandPath(), line, err)
			}
		}
	}
}

// calls are the calls of weft in an example: what stands between pipes and the like. A
// backslash ends a line that goes on.
func calls(example string) []string {
	var all []string
	for line := range strings.Lines(strings.ReplaceAll(example, "\\\n", "")) {
		separators := strings.NewReplacer("|", "\n", "&&", "\n", "$(", "\n", ")", "\n", "<(", "\n", ">", "\n")
		for part := range strings.Lines(separators.Replace(line)) {
			part, _, _ = strings.Cut(strings.TrimSpace(part), "  #")
			if strings.HasPrefix(part, "weft ") {
				all = append(all, part)
			}
		}
	}
	return all
}

func parses(line string) error {
	root := newRoot(&app{})
	words := strings.Fields(strings.ReplaceAll(line, `"`, ""))[1:]
	cmd, rest, err := root.Find(words)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}
