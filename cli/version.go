package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"weft/cli/output"
)

// A release says what this program is.
type release struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Example: `  weft version
  weft version -o json`,
	}
	format := outputFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		r := release{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
		if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
			r.Version = info.Main.Version
		}
		return output.One(a.stdout, *format, r, []output.Column[release]{
			{Title: "Version", Cell: func(r release) string { return r.Version }},
			{Title: "Go", Wide: true, Cell: func(r release) string { return r.Go }},
			{Title: "Platform", Wide: true, Cell: func(r release) string { return r.Platform }},
		})
	}
	return cmd
}
