package cli

import (
	"github.com/spf13/cobra"
)

// intentCommand is a person's way to say what is meant to be so. No tool does it: an agent could silence what it caused.
func intentCommand(p Program, g *Globals, s Streams) *cobra.Command {
	var o IntentOptions
	root := &cobra.Command{Use: "intent", Short: "Say what is meant to be so, so that health checks do not complain", Args: cobra.ArbitraryArgs, RunE: bareNoun,
		DisableFlagsInUseLine: true,
		Long: `Keeps what you mean an object to be, in the local store; nothing changes in Proxmox VE, and no MCP tool can do it.
  off          a guest or node that is meant to be off is not missed
  maintenance  nothing is said of the object, nor of what runs on it
  awake        a node whose disks never sleep: their SMART health may be asked
An OBJECT is a vmid, a name, or kind/id: guest/104, node/pve3, storage/pve1/local, cluster.`}
	set := &cobra.Command{Use: "set OBJECT off|maintenance|awake", Short: "Say what an object is meant to be", Args: cobra.ExactArgs(2),
		Example: "  proxmox-mcp intent set 208 off --note spare\n  proxmox-mcp intent set node/pve1 maintenance --until 8h",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return []string{"off", "maintenance", "awake"}, cobra.ShellCompDirectiveNoFileComp
			}
			return completeFirst(p, g, NameGuest)(cmd, args, typed)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Object, o.Want = args[0], args[1]
			r, err := p.IntentSet(cmd.Context(), *g, o)
			if err != nil {
				return err
			}
			return printReport(s, *g, r)
		}}
	set.Flags().StringVar(&o.Until, "until", "", "`TIME` when it ends by itself: 8h, 3d, tomorrow, 2026-11-30 18:00 (default: when cleared)")
	set.Flags().StringVar(&o.Note, "note", "", "`TEXT` that is shown with it")
	list := &cobra.Command{Use: "list", Short: "List what was said, by whom and until when", Args: cobra.NoArgs, Example: "  proxmox-mcp intent list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := p.IntentList(cmd.Context(), *g, o.Cluster)
			if err != nil {
				return err
			}
			return printReport(s, *g, r)
		}}
	clearing := &cobra.Command{Use: "clear OBJECT", Short: "Forget what was said of an object", Args: cobra.ExactArgs(1), Example: "  proxmox-mcp intent clear 208", ValidArgsFunction: completeFirst(p, g, NameGuest),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Object = args[0]
			r, err := p.IntentClear(cmd.Context(), *g, o)
			if err != nil {
				return err
			}
			return printReport(s, *g, r)
		}}
	for _, c := range []*cobra.Command{set, list, clearing} {
		c.Flags().StringVar(&o.Cluster, "cluster", "", "only this cluster, by its `NAME` in the configuration")
		root.AddCommand(c)
	}
	return root
}
