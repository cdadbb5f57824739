package cli

import (
	"runtime"

	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/internal/release"
)

// program says what this one is.
type program struct {
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
		p := program{Version: release.Version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
		return output.One(a.stdout, *format, p, []output.Column[program]{
			{Title: "Version", Cell: func(p program) string { return p.Version }},
			{Title: "Go", Wide: true, Cell: func(p program) string { return p.Go }},
			{Title: "Platform", Wide: true, Cell: func(p program) string { return p.Platform }},
		})
	}
	return cmd
}
