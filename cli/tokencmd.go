package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// TokenKeeper are the commands for bearer tokens of the HTTP door.
type TokenKeeper interface {
	// TokenCreate makes a token, which the report shows once; it asks for the passphrase where the tier is above read.
	TokenCreate(ctx context.Context, g Globals, o TokenOptions, t Terminal) (Report, error)
	TokenList(ctx context.Context, g Globals) (Report, error)
	TokenRevoke(ctx context.Context, g Globals, name string) error
}

// TokenOptions are those of `token create`. Empty lists bound nothing.
type TokenOptions struct {
	Name, Tier         string
	Clusters, Families []string
	Expires            time.Duration // 0 = never
}

func tokenCommand(p Program, g *Globals, s Streams) *cobra.Command {
	token := &cobra.Command{Use: "token", Short: "Tokens for clients that connect over HTTP", Args: cobra.ArbitraryArgs, RunE: bareNoun, DisableFlagsInUseLine: true,
		Long: `A client of serve --http sends a token with each request. It is shown once, when it is made; the state database keeps its hash. What a token
reaches is bounded by its tier, clusters and families of tools; what the server allows bounds it further. Once there is a token, nobody
comes in without one.`}
	token.AddCommand(tokenCreateCommand(p, g, s),
		&cobra.Command{Use: "list", Short: "List tokens, what they reach and their last login", Args: cobra.NoArgs, Example: "  proxmox-mcp token list",
			RunE: func(cmd *cobra.Command, _ []string) error {
				return report(s, *g)(p.TokenList(cmd.Context(), *g))
			}},
		&cobra.Command{Use: "revoke NAME", Short: "End a token; running servers notice within a second", Args: cobra.ExactArgs(1), Example: "  proxmox-mcp token revoke laptop", ValidArgsFunction: completeFirst(p, g, NameToken),
			RunE: func(cmd *cobra.Command, args []string) error {
				if err := p.TokenRevoke(cmd.Context(), *g, args[0]); err != nil {
					return err
				}
				_, err := fmt.Fprintf(s.Err, "Revoked: %s\n", args[0])
				return err
			}},
	)
	return token
}

func tokenCreateCommand(p Program, g *Globals, s Streams) *cobra.Command {
	var o TokenOptions
	var limit string
	cmd := &cobra.Command{Use: "create NAME", Short: "Make a token and show it, once", Args: cobra.ExactArgs(1),
		Long: `Makes a token for one client, by a name that the audit shows as token:NAME. It only reads unless --tier says more; then the operator's passphrase
is asked for. The token alone goes to standard output.`,
		Example: "  proxmox-mcp token create laptop\n  proxmox-mcp token create ci --tier reversible --cluster lab --expires 90d\n  proxmox-mcp token create wallboard --family cluster --family node",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			o.Name = args[0]
			if o.Expires, err = duration("expires", limit); err != nil {
				return err
			}
			return report(s, *g)(p.TokenCreate(cmd.Context(), *g, o, person(cmd.Context(), s, nil)))
		}}
	f := cmd.Flags()
	f.StringVar(&o.Tier, "tier", "read", "the highest `TIER` that it reaches: read, reversible, disruptive, destructive or host")
	f.StringSliceVar(&o.Clusters, "cluster", nil, "only this cluster, by its `NAME` in the configuration (repeatable; default: all)")
	f.StringSliceVar(&o.Families, "family", nil, "only tools of this `FAMILY`, as docs/tools.md has them (repeatable; default: all)")
	f.StringVar(&limit, "expires", "", "for a `TIME` such as 8h or 90d (default: until it is revoked)")
	_ = cmd.RegisterFlagCompletionFunc("tier", cobra.FixedCompletions(append([]string{"read"}, tiers...), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}
