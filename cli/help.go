package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newHelp(*app) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND...]",
		Short: "Explain a command",
		Example: `  weft help
  weft help network create`,
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return knownCommand(about, rest)
			}
			return about.Help()
		},
	}
}

// describe is a command's help: what it does, how it is called, examples, the
// commands below it, flags.
func describe(cmd *cobra.Command) string {
	var b strings.Builder
	about := cmd.Long
	if about == "" {
		about = cmd.Short + "."
	}
	fmt.Fprintf(&b, "%s\n\nUsage:\n  %s\n", strings.TrimSpace(about), cmd.UseLine())
	section(&b, "Examples", cmd.Example)
	for _, g := range cmd.Groups() {
		section(&b, strings.TrimSuffix(g.Title, ":"), commands(cmd, g.ID))
	}
	section(&b, "Commands", commands(cmd, ""))
	section(&b, "Flags", cmd.LocalFlags().FlagUsages())
	if cmd.HasParent() {
		section(&b, "Global flags", cmd.InheritedFlags().FlagUsages())
	}
	return b.String()
}

func section(b *strings.Builder, title, text string) {
	if text != "" {
		fmt.Fprintf(b, "\n%s:\n%s\n", title, strings.TrimRight(text, "\n"))
	}
}

// commands lists a command's subcommands of one group.
func commands(cmd *cobra.Command, group string) string {
	var b strings.Builder
	for _, c := range cmd.Commands() {
		if c.GroupID == group && !c.Hidden {
			fmt.Fprintf(&b, "  %-*s  %s\n", cmd.NamePadding(), c.Name(), c.Short)
		}
	}
	return b.String()
}
