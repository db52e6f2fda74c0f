package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"
)

// Auditor are the commands that read the audit.
type Auditor interface {
	AuditList(ctx context.Context, g Globals, o AuditOptions) (Report, error)
	AuditExport(ctx context.Context, g Globals, o AuditOptions, out io.Writer) error
	// AuditVerify walks along the chain; head is SEQUENCE:HASH as it was noted elsewhere, "" = none.
	AuditVerify(ctx context.Context, g Globals, head string) (Report, error)
}

// AuditOptions select rows; empty fields select all. Limit 0 means 100 of a list.
type AuditOptions struct {
	Since, Until, Principal, Guest, Plan string
	Events                               []string
	Limit                                int
}

func auditCommand(p Program, g *Globals, s Streams) *cobra.Command {
	audit := &cobra.Command{Use: "audit", Short: "Read the audit of changes and prove that it is whole", Args: cobra.ArbitraryArgs, RunE: bareNoun, DisableFlagsInUseLine: true}
	var lo, eo AuditOptions
	list := &cobra.Command{Use: "list", Short: "List rows of the audit, newest first", Args: cobra.NoArgs,
		Example: "  proxmox-mcp audit list --since 7d --event deny\n  proxmox-mcp audit list --guest 208",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return report(s, *g)(p.AuditList(cmd.Context(), *g, lo))
		}}
	auditFlags(list, &lo)
	list.Flags().IntVar(&lo.Limit, "limit", 100, "show at most `N` rows")
	export := &cobra.Command{Use: "export", Short: "Print the audit as JSON lines, oldest first, with its hashes", Args: cobra.NoArgs,
		Example: "  proxmox-mcp audit export --since 30d",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.AuditExport(cmd.Context(), *g, eo, s.Out)
		}}
	auditFlags(export, &eo)
	head := ""
	verify := &cobra.Command{Use: "verify", Short: "Check that no row was changed, taken away or cut off", Args: cobra.NoArgs, Example: "  proxmox-mcp audit verify",
		Long: `Walks along the chain of hashes and names the first row that is not as it was written. The end has to be the one that the store notes, the one
of the second file beside it, and with --head the one that you noted yourself. Exit code 1 when something is wrong.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return report(s, *g)(p.AuditVerify(cmd.Context(), *g, head))
		}}
	verify.Flags().StringVar(&head, "head", "", "the end that you noted, as `SEQUENCE:HASH`")
	audit.AddCommand(list, export, verify)
	return audit
}

func auditFlags(cmd *cobra.Command, o *AuditOptions) {
	f := cmd.Flags()
	f.StringVar(&o.Since, "since", "", "from this `TIME` on: 2h, 7d, yesterday, 2026-11-20 18:00 (default: the beginning)")
	f.StringVar(&o.Until, "until", "", "before this `TIME` (default: now)")
	f.StringVar(&o.Principal, "by", "", "only what this `PRINCIPAL` did, such as local:1000 or operator")
	f.StringVar(&o.Guest, "guest", "", "only rows about the guest of this `VMID`")
	f.StringVar(&o.Plan, "plan", "", "only rows about this `PLAN`")
	f.StringSliceVar(&o.Events, "event", nil, "only these `EVENTS`: plan, deny, approve, reject, apply, send, done, failed, unknown, allow, grant, stop, login, secret ...")
}
