package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

// SecretKeeper are the commands for secrets that changes refer to by name. No command shows a value.
type SecretKeeper interface {
	SecretSet(ctx context.Context, g Globals, name string, t Terminal) error
	SecretList(ctx context.Context, g Globals) (Report, error)
	SecretRemove(ctx context.Context, g Globals, name string) error
}

func secretCommand(p Program, g *Globals, s Streams) *cobra.Command {
	secret := &cobra.Command{Use: "secret", Short: "Keep passwords that changes refer to by name", Args: cobra.ArbitraryArgs, RunE: bareNoun, DisableFlagsInUseLine: true,
		Long: `No tool takes a password: it takes secret:NAME, and the value is put in when the request is sent to Proxmox VE. It lies in the system's keyring where
there is one, else sealed in the state database, with the key in secrets.key beside the configuration.`}
	secret.AddCommand(
		&cobra.Command{Use: "set NAME", Short: "Keep a secret, or another value for it", Args: cobra.ExactArgs(1), Example: "  proxmox-mcp secret set ci-password",
			RunE: func(cmd *cobra.Command, args []string) error {
				return p.SecretSet(cmd.Context(), *g, args[0], person(cmd.Context(), s, nil))
			}},
		&cobra.Command{Use: "list", Short: "List the names of secrets", Args: cobra.NoArgs, Example: "  proxmox-mcp secret list",
			RunE: func(cmd *cobra.Command, _ []string) error {
				return report(s, *g)(p.SecretList(cmd.Context(), *g))
			}},
		&cobra.Command{Use: "rm NAME", Short: "Forget a secret", Args: cobra.ExactArgs(1), Example: "  proxmox-mcp secret rm ci-password",
			RunE: func(cmd *cobra.Command, args []string) error {
				if err := p.SecretRemove(cmd.Context(), *g, args[0]); err != nil {
					return err
				}
				_, err := fmt.Fprintf(s.Err, "Forgotten: %s\n", args[0])
				return err
			}},
	)
	return secret
}
