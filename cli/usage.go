package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"weft/cli/suggest"
)

// usagef makes the error of a command that was called wrongly.
func usagef(cmd *cobra.Command, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if cmd.HasParent() {
		text = strings.TrimPrefix(cmd.CommandPath(), "weft ") + ": " + text
	}
	return withCode(exitUsage, "%s", text)
}

// finish completes a command and those below it: arguments are checked by what
// Use says of them, and a command that only has others below it prints its help.
func finish(cmd *cobra.Command) {
	cmd.DisableFlagsInUseLine = true
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolP("help", "h", false, "print this")
	if cmd.HasSubCommands() {
		cmd.Args = knownCommand
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	} else {
		cmd.Args = positional
	}
	for _, c := range cmd.Commands() {
		finish(c)
	}
}

// knownCommand refuses what is none of the command's subcommands.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	known := map[string]string{}
	var names []string
	for _, c := range cmd.Commands() {
		for _, name := range append([]string{c.Name()}, c.SuggestFor...) {
			known[name] = c.Name()
			names = append(names, name)
		}
	}
	if name := known[suggest.Nearest(args[0], names)]; name != "" {
		return usagef(cmd, "unknown command %q; did you mean %q?", args[0], name)
	}
	return usagef(cmd, "unknown command %q; \"%s --help\" lists the commands", args[0], cmd.CommandPath())
}

// positional checks a command's arguments by its Use line: NAME has to be given,
// [NAME] may be, and NAME... takes one or more.
func positional(cmd *cobra.Command, args []string) error {
	var wanted []string
	for _, word := range strings.Fields(cmd.Use)[1:] {
		if strings.HasPrefix(word, "-") || strings.HasPrefix(word, "(") {
			break // flags
		}
		wanted = append(wanted, word)
	}
	for i, word := range wanted {
		name := strings.Trim(word, "[].")
		if i >= len(args) && !strings.HasPrefix(word, "[") {
			return usagef(cmd, "%s is missing; want \"%s\"", name, cmd.UseLine())
		}
		if i < len(args) && args[i] == "" {
			return usagef(cmd, "%s is empty; want \"%s\"", name, cmd.UseLine())
		}
	}
	many := len(wanted) > 0 && strings.Contains(wanted[len(wanted)-1], "...")
	if len(args) > len(wanted) && !many {
		return usagef(cmd, "unexpected argument %q; want \"%s\"", args[len(wanted)], cmd.UseLine())
	}
	return nil
}

// flagError words pflag's errors: which flag, what was given, what is wanted.
func flagError(cmd *cobra.Command, err error) error {
	if cmd.HasSubCommands() && cmd.Flags().NArg() > 0 {
		return knownCommand(cmd, cmd.Flags().Args())
	}
	var (
		unknown *pflag.NotExistError
		missing *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown)
	case errors.As(err, &missing):
		f := missing.GetFlag()
		kind, _ := pflag.UnquoteUsage(f)
		return usagef(cmd, "--%s needs a value: --%s %s", f.Name, f.Name, kind)
	case errors.As(err, &invalid):
		return usagef(cmd, "--%s %q: %s", invalid.GetFlag().Name, invalid.GetValue(), wantedOf(invalid))
	}
	return usagef(cmd, "%v", err)
}

func unknownFlag(cmd *cobra.Command, e *pflag.NotExistError) error {
	if short := e.GetSpecifiedShortnames(); short != "" {
		return usagef(cmd, "unknown flag -%s; \"%s --help\" lists the flags", short[:1], cmd.CommandPath())
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if nearest := suggest.Nearest(e.GetSpecifiedName(), names); nearest != "" {
		return usagef(cmd, "unknown flag --%s; did you mean --%s?", e.GetSpecifiedName(), nearest)
	}
	return usagef(cmd, "unknown flag --%s; \"%s --help\" lists the flags", e.GetSpecifiedName(), cmd.CommandPath())
}

// wantedOf words why a flag's value was refused; pflag's own types say so in
// strconv's words.
func wantedOf(e *pflag.InvalidValueError) string {
	switch e.GetFlag().Value.Type() {
	case "bool":
		return "want true or false"
	case "int":
		return "want a whole number"
	case "uint16":
		return "want a whole number from 0 to 65535"
	case "duration":
		return "want a length of time such as 90s, 30m or 24h"
	}
	return errors.Unwrap(e).Error()
}
