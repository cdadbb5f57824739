package cli

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weft/api"
	"weft/cli/output"
	"weft/overlay"
)

func newTokenCreate(a *app) *cobra.Command {
	var (
		r    api.TokenRequest
		node string
	)
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Create a token, and print it this once",
		Long: `Create a token, and print it this once: nobody keeps its secret. The token alone goes
to standard output, what to do with it to standard error.

A node token lets any host join under a name that is free; with --node it is for that
name, and a new host may take over from an old one. Tokens of role admin and reader
are for people: "weft login TOKEN" makes credentials of one.`,
		Example: `  weft token create
  weft token create --ttl 30m --node c
  weft token create --role reader --name anna
  ssh c weftd agent --join $(weft token create --ttl 5m)`,
		SuggestFor: []string{"add", "new"},
	}
	flags := cmd.Flags()
	flags.Var(choice(&r.Role, overlay.RoleNode, overlay.RoleAdmin, overlay.RoleReader), "role", "what its holder may do [node]")
	flags.Var(&value[api.Duration]{name: "DURATION", into: &r.TTL, parse: parseTTL}, "ttl", "how long it is good, such as 90s, 30m or 24h [24h]")
	flags.StringVar(&node, "node", "", "the `NAME` of the node that it is for [any that is free]")
	flags.StringVar(&r.Name, "name", "", "the `NAME` of the token, and of who logs in with it [chosen]")
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		r.Node = overlay.NodeName(node)
		if r.Node != "" && r.Role != "" && r.Role != overlay.RoleNode {
			return usagef(cmd, "--node is for tokens of role node")
		}
		if err := cmp.Or(checkGiven("--node", node), checkGiven("--name", r.Name)); err != nil {
			return usagef(cmd, "%v", err)
		}
		server, err := a.server(cmd.Context())
		if err != nil {
			return err
		}
		made, err := server.CreateToken(cmd.Context(), r)
		if err != nil {
			return err
		}
		if format.Structured() {
			return output.One(a.stdout, *format, made, nil)
		}
		if _, err := fmt.Fprintln(a.stdout, made.Token); err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stderr, "token %s of role %s, good until %s: %s\n",
			made.Name, first(string(r.Role), string(overlay.RoleNode)), timeText(made.Expires), tokenUse(r.Role))
		return err
	}
	return cmd
}

// checkGiven checks a name that may be left out.
func checkGiven(flag, name string) error {
	if name == "" {
		return nil
	}
	return overlay.CheckName(flag, name)
}

func tokenUse(role overlay.Role) string {
	if role == overlay.RoleAdmin || role == overlay.RoleReader {
		return "weft login TOKEN"
	}
	return "weftd agent --join TOKEN"
}

func parseTTL(s string) (api.Duration, error) {
	d, err := time.ParseDuration(strings.TrimSpace(s))
	if err != nil || d < time.Second {
		return 0, fmt.Errorf("want a length of time such as 90s, 30m or 24h")
	}
	return api.Duration(d), nil
}
