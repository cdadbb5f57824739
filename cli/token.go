package cli

import (
	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/overlay"
)

func newToken(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token COMMAND",
		Short: "Create, list and revoke tokens to join or log in with",
		Long: `Create, list and revoke tokens. A token lets a host join (role node) or a person log
in (roles admin and reader) until it expires or is removed. It holds the fingerprint
of the cluster's CA and the servers' addresses. Certificates that were got with it
stay good after it is removed, unless "weft token rm --certificates" revokes them.`,
		Example: `  weft token create
  weft token ls
  weft token rm t-4f2k9q`,
	}
	cmd.AddCommand(newTokenCreate(a), newTokenLs(a), newTokenRm(a))
	return cmd
}

func (a *app) tokenColumns() []output.Column[*overlay.Token] {
	type t = *overlay.Token
	return []output.Column[t]{
		{Title: "Name", Cell: func(t t) string { return t.Name }},
		{Title: "Role", Cell: func(t t) string { return string(t.Spec.Role) }},
		{Title: "Node", Cell: func(t t) string { return string(t.Spec.Node) }},
		{Title: "Expires", Cell: func(t t) string { return a.expiryText(t) }},
		{Title: "Age", Cell: func(t t) string { return output.Since(a.now(), t.Created) }},
	}
}

// expiryText is "in 23h59m" or "3m ago".
func (a *app) expiryText(t *overlay.Token) string {
	if left := t.Spec.Expires.Sub(a.now()); left > 0 {
		return "in " + output.Duration(left)
	}
	return output.Since(a.now(), t.Spec.Expires) + " ago"
}
