package cli

import (
	"slices"

	"github.com/spf13/cobra"
)

// addPlanCommands adds what a person does with plans to the noun that the tools made.
func addPlanCommands(root *cobra.Command, p Program, g *Globals, s Streams) {
	noun := "plan"
	k := slices.IndexFunc(root.Commands(), func(c *cobra.Command) bool { return c.Name() == noun })
	var plan *cobra.Command
	if k >= 0 {
		plan = root.Commands()[k]
	} else {
		plan = &cobra.Command{Use: noun, GroupID: groupDecide, Args: cobra.ArbitraryArgs, RunE: bareNoun, DisableFlagsInUseLine: true}
		root.AddCommand(plan)
	}
	plan.Short, plan.GroupID = nounShorts[noun], groupDecide
	plan.AddCommand(approveCommand(p, g, s), rejectCommand(p, g, s), watchCommand(p, g, s))
}

func approveCommand(p Program, g *Globals, s Streams) *cobra.Command {
	var o ApproveOptions
	cmd := &cobra.Command{Use: "approve [PLAN]", Short: "Review a plan that waits, approve it and see it through", Args: cobra.MaximumNArgs(1),
		Long: `Shows what the plan does, what is lost and what else it touches, asks for the id of what is destroyed and for the operator's passphrase, then
applies it and follows it to its end. It asks on a terminal only, or with --browser on a page of this machine that lives for one decision.
Without PLAN it lists the plans that wait.`,
		Example: "  proxmox-mcp plan approve\n  proxmox-mcp plan approve p-xxxxxxxx",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.ID = args[0]
			}
			bar := newProgress(s.Err)
			r, err := p.Approve(cmd.Context(), *g, o, person(cmd.Context(), s, bar))
			bar.done()
			return report(s, *g)(r, err)
		}}
	cmd.Flags().BoolVar(&o.Browser, "browser", false, "ask on a page at 127.0.0.1 instead of the terminal")
	return cmd
}

func rejectCommand(p Program, g *Globals, s Streams) *cobra.Command {
	var why string
	cmd := &cobra.Command{Use: "reject PLAN", Short: "Refuse a plan for good", Args: cobra.ExactArgs(1),
		Example: "  proxmox-mcp plan reject p-xxxxxxxx --reason 'not on a Friday'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return report(s, *g)(p.Reject(cmd.Context(), *g, args[0], why, person(cmd.Context(), s, nil)))
		}}
	cmd.Flags().StringVar(&why, "reason", "", "a `TEXT` that the requester reads")
	return cmd
}

func watchCommand(p Program, g *Globals, s Streams) *cobra.Command {
	return &cobra.Command{Use: "watch PLAN", Short: "Follow a plan until it has ended", Args: cobra.ExactArgs(1), Example: "  proxmox-mcp plan watch p-xxxxxxxx",
		RunE: func(cmd *cobra.Command, args []string) error {
			bar := newProgress(s.Err)
			r, err := p.Watch(cmd.Context(), *g, args[0], person(cmd.Context(), s, bar))
			bar.done()
			return report(s, *g)(r, err)
		}}
}
