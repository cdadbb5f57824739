package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"weft/api"
)

func newLogin(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "login TOKEN",
		Short: "Make credentials for the servers of a token",
		Long: `Make credentials for the servers of a token of role admin or reader, which
"weft token create --role admin" makes, and keep them in the credentials file. The
key is made here and stays here; the servers have to prove by the token's fingerprint
who they are.`,
		Example: `  weft login weft1.anna.4fGh….x8Zq….192.0.2.11:7411
  weft login --credentials ~/.weft.json "$TOKEN"`,
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace credentials that are there")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path := a.credentialsPath()
		if _, err := os.Lstat(path); err == nil && !force {
			return withCode(exitConflict, "%s exists already: --force replaces it, --credentials names another file", path)
		}
		got, err := api.Join(cmd.Context(), args[0], "")
		if err != nil {
			return err
		}
		who, err := got.Identity()
		if err != nil {
			return err
		}
		if err := got.Save(path); err != nil {
			return fmt.Errorf("save credentials: %w", err)
		}
		_, err = fmt.Fprintf(a.stdout, "logged in as %s; the credentials are in %s\n", who, path)
		return err
	}
	return cmd
}
