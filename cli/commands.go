package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// addCommands adds the commands outside the tool table.
func addCommands(root *cobra.Command, p Program, g *Globals, s Streams) {
	for group, cmds := range map[string][]*cobra.Command{
		groupRun:     {serveCommand(p, g, s), syncCommand(p, g, s), demoCommand(p, g, s), intentCommand(p, g, s), recipeCommand(p, g, s)},
		groupSetUp:   {setupCommand(p, g, s), initCommand(p, g, s), doctorCommand(p, g, s), dbCommand(p, g, s), versionCommand(p, g, s)},
		groupDecide:  ownerCommands(p, g, s),
		groupDevelop: {simCommand(p, g, s)},
	} {
		for _, c := range cmds {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	addPlanCommands(root, p, g, s)
}

func printReport(s Streams, g Globals, r Report) error {
	if err := printAnswer(s, g, r.Value, r.View); err != nil {
		return err
	}
	switch {
	case r.Failed:
		return ErrFailed
	case r.Partial:
		return ErrPartial
	}
	return partial(r.View)
}

func serveCommand(p Program, g *Globals, s Streams) *cobra.Command {
	o := ServeOptions{In: s.In}
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve MCP on standard input and output, or over HTTP", Args: httpAddress(&o.HTTPOptions),
		Long: `Serve MCP to one client on standard input and output: what Claude Desktop, Claude Code and the MCP Inspector start.
Only JSON-RPC goes to standard output; logs go to standard error. Ends when the client closes standard input.
With --http it serves many clients over HTTP: on this machine at once, beyond it with tokens or OAuth and TLS (docs/http.md).
--families, --tools and --exclude-tools bound what is offered, within the configuration's toolset.`,
		Example: "  claude mcp add proxmox -- /path/to/proxmox-mcp serve\n  claude mcp add proxmox -- /path/to/proxmox-mcp serve --families cluster,guest,node\n  proxmox-mcp serve --http 127.0.0.1:8811\n  proxmox-mcp serve --http",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return p.Serve(cmd.Context(), *g, o, s.Out, s.Err)
		},
	}
	cmd.Flags().StringVar(&o.Allow, "allow", "", "allow changes up to a `TIER` (reversible, disruptive, destructive, host) in this process, within changes.maximum of the configuration")
	_ = cmd.RegisterFlagCompletionFunc("allow", cobra.FixedCompletions(tiers, cobra.ShellCompDirectiveNoFileComp))
	f := cmd.Flags()
	f.StringSliceVar(&o.Families, "families", nil, "offer only tools of these `FAMILIES`, as docs/tools.md has them (and those of --tools)")
	f.StringSliceVar(&o.Tools, "tools", nil, "offer only these `TOOLS` (and those of --families)")
	f.StringSliceVar(&o.Exclude, "exclude-tools", nil, "offer no `TOOLS` of these")
	f.StringVar(&o.MetricsAddr, "metrics", "", "serve /metrics, /healthz and /readyz at `HOST:PORT` of loopback, beside stdio or --http, such as 127.0.0.1:9464")
	httpFlags(cmd, &o.HTTPOptions)
	return cmd
}

// ofConfig is the value of --http without an address.
const ofConfig = "true"

// address is the value of a flag that works without one too. Its type makes the help show it so.
type address struct{ to *string }

// Set implements pflag.Value.
func (a address) Set(s string) error { *a.to = s; return nil }

// String implements pflag.Value.
func (a address) String() string {
	if a.to == nil {
		return ""
	}
	return *a.to
}

// Type implements pflag.Value.
func (address) Type() string { return "bool" }

func httpFlags(cmd *cobra.Command, o *HTTPOptions) {
	cmd.Flags().Var(address{&o.Address}, "http", "serve Streamable HTTP at `HOST:PORT` (path /mcp) and not stdio; without it at that of the configuration, or 127.0.0.1:8811")
	cmd.Flags().Lookup("http").NoOptDefVal = ofConfig
	cmd.Flags().BoolVar(&o.SSE, "sse", false, "with --http: the old HTTP+SSE transport at /sse as well")
}

// httpAddress takes the address behind --http, which is an argument because the flag works without one too. It also says whether HTTP is
// wanted at all.
func httpAddress(o *HTTPOptions) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		o.Over = o.Address != ""
		if o.Address == ofConfig {
			if o.Address = ""; len(args) == 1 {
				o.Address, args = args[0], nil
			}
		}
		return cobra.NoArgs(cmd, args)
	}
}

func (o HTTPOptions) check() error {
	if o.SSE && !o.Over {
		return usageError{fmt.Errorf("--sse is for --http")}
	}
	return nil
}

func syncCommand(p Program, g *Globals, s Streams) *cobra.Command {
	var o SyncOptions
	cmd := &cobra.Command{
		Use: "sync", Short: "Read the whole cluster into the store now", Args: cobra.NoArgs,
		Example: "  proxmox-mcp sync\n  proxmox-mcp sync -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			bar := newProgress(s.Err)
			o.Progress = bar.sync
			r, err := p.Sync(cmd.Context(), *g, o)
			bar.done()
			if err != nil {
				return err
			}
			return printReport(s, *g, r)
		},
	}
	cmd.Flags().StringVar(&o.Cluster, "cluster", "", "only this cluster, by its `NAME` in the configuration")
	return cmd
}

func doctorCommand(p Program, g *Globals, s Streams) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check configuration, connection, rights and store, with a fix for each fault", Args: cobra.NoArgs,
		Long: `Looks at the configuration, each cluster's endpoints, certificates, login, rights and clocks, the store and the HTTP door, and says what to do about
what is wrong. Exit code 0 where nothing failed, with warnings too; 1 where something did.`,
		Example: "  proxmox-mcp doctor",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := p.Doctor(cmd.Context(), *g)
			if err != nil {
				return err
			}
			return printReport(s, *g, r)
		},
	}
}

func initCommand(p Program, g *Globals, s Streams) *cobra.Command {
	var o InitOptions
	cmd := &cobra.Command{
		Use: "init", Short: "Connect a cluster: token, address, certificate, configuration file", Args: cobra.NoArgs,
		Long: `Prints the pveum lines that make a least-privilege token, asks for the address and the token, tests the connection, pins the
certificate, writes the configuration file (mode 0600) and prints the snippets for MCP clients. The token is never echoed.`,
		Example: "  proxmox-mcp init\n  proxmox-mcp init --endpoint https://pve1.example.org:8006",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.In, o.ReadSecret = interruptible{cmd.Context(), s.In}, readSecret(cmd.Context(), s)
			return p.Init(cmd.Context(), *g, o, s.Out)
		},
	}
	cmd.Flags().StringVar(&o.Endpoint, "endpoint", "", "`ADDRESS` of a node, such as https://192.0.2.10:8006")
	cmd.Flags().StringVar(&o.Name, "name", "", "`NAME` for the cluster in the configuration (default: that of the cluster)")
	cmd.Flags().BoolVar(&o.Force, "force", false, "replace the cluster of that name in the configuration")
	return cmd
}

func demoCommand(p Program, g *Globals, s Streams) *cobra.Command {
	o := DemoOptions{In: s.In}
	cmd := &cobra.Command{
		Use: "demo", Short: "Try everything on a simulated three-node homelab", Args: httpAddress(&o.HTTPOptions),
		Long: `Starts a simulated Proxmox VE cluster inside this process, syncs it into a temporary store, prints overview and findings and the
exact lines that connect Claude to it. With --serve it stays up as an MCP server on standard input and output, and with --allow that
server may change the simulated cluster. --story change shows an agent that changes a guest, with its owner's approval, undo and audit,
--story lifecycle one that makes, copies, enlarges, saves, restores and moves guests, --story code the homelab as Terraform code.`,
		Example: "  proxmox-mcp demo\n  proxmox-mcp demo --story change\n  proxmox-mcp demo --story lifecycle\n  proxmox-mcp demo --story code\n  claude mcp add proxmox-demo -- /path/to/proxmox-mcp demo --serve --allow disruptive",
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.Story != "" && o.Serve:
				return usageError{fmt.Errorf("--story and --serve exclude each other")}
			case o.Story != "":
				if err := oneOf("story", o.Story, stories); err != nil {
					return err
				}
			case !o.Serve && (o.Allow != "" || o.Over):
				return usageError{fmt.Errorf("--allow and --http are for --serve")}
			}
			if err := o.HTTPOptions.check(); err != nil {
				return err
			}
			return p.Demo(cmd.Context(), *g, o, s.Out, s.Err)
		},
	}
	cmd.Flags().BoolVar(&o.Serve, "serve", false, "stay up as an MCP server on stdio")
	httpFlags(cmd, &o.HTTPOptions)
	cmd.Flags().StringVar(&o.Allow, "allow", "", "with --serve: allow changes of the simulated cluster up to a `TIER` (reversible, disruptive, destructive, host)")
	cmd.Flags().StringVar(&o.Story, "story", "", "a `STORY` to tell: "+strings.Join(stories, ", "))
	_ = cmd.RegisterFlagCompletionFunc("allow", cobra.FixedCompletions(tiers, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("story", cobra.FixedCompletions(stories, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// stories are those of demo --story.
var stories = []string{"change", "lifecycle", "code"}

// tiers are what can be allowed.
var tiers = []string{"reversible", "disruptive", "destructive", "host"}

func dbCommand(p Program, g *Globals, s Streams) *cobra.Command {
	db := &cobra.Command{Use: "db", Short: "Look after the state database", Args: cobra.ArbitraryArgs, RunE: bareNoun, DisableFlagsInUseLine: true}
	db.AddCommand(
		&cobra.Command{Use: "path", Short: "Print where the state database is", Args: cobra.NoArgs, Example: "  proxmox-mcp db path",
			RunE: func(*cobra.Command, []string) error {
				path, err := p.DBPath(*g)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(s.Out, path)
				return err
			}},
		&cobra.Command{Use: "check", Short: "Check the state database's integrity", Args: cobra.NoArgs, Example: "  proxmox-mcp db check",
			RunE: func(cmd *cobra.Command, _ []string) error {
				r, err := p.DBCheck(cmd.Context(), *g)
				if err != nil {
					return err
				}
				return printReport(s, *g, r)
			}},
		&cobra.Command{Use: "backup FILE", Short: "Copy the state database, consistently, while servers run", Args: cobra.ExactArgs(1),
			Example: "  proxmox-mcp db backup /backup/proxmox-mcp-state.db",
			RunE: func(cmd *cobra.Command, args []string) error {
				r, err := p.DBBackup(cmd.Context(), *g, args[0])
				if err != nil {
					return err
				}
				return printReport(s, *g, r)
			}},
	)
	return db
}

func simCommand(p Program, g *Globals, s Streams) *cobra.Command {
	sim := &cobra.Command{Use: "sim", Short: "Run a simulated Proxmox VE", Args: cobra.ArbitraryArgs, RunE: bareNoun, DisableFlagsInUseLine: true}
	var so SimServeOptions
	serve := &cobra.Command{Use: "serve", Short: "Serve a simulated Proxmox VE API over HTTPS", Args: cobra.NoArgs,
		Example: "  proxmox-mcp sim serve --seed 1 --nodes 3 --guests 60\n  proxmox-mcp sim serve --world world.json --latency 20ms",
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.SimServe(cmd.Context(), so, s.Out) }}
	f := serve.Flags()
	f.StringVar(&so.World, "world", "", "`FILE` (world.json) to load; without it and without --nodes or --guests the demo world is served")
	f.BoolVar(&so.Now, "now", false, "let the time of a loaded world be the present; else it goes on from when the world was dumped")
	f.StringVar(&so.Addr, "addr", "127.0.0.1:8006", "`HOST:PORT` to listen on")
	f.BoolVar(&so.AllNodes, "all-nodes", false, "serve every node: the first at --addr, the others at the ports after it")
	f.Uint64Var(&so.Seed, "seed", 1, "seed `N` of the generated world")
	f.IntVar(&so.Nodes, "nodes", 0, "`N` nodes in the generated world")
	f.IntVar(&so.Guests, "guests", 0, "`N` guests in the generated world")
	f.StringVar(&so.Latency, "latency", "", "`TIME` that each call takes, such as 20ms; profile = as seen on real nodes")
	f.StringVar(&so.Schema, "schema", "", "`FILE` with the schema of the API, to check parameters by in place of the simulator's own tables")
	f.StringArrayVar(&so.Faults, "fault", nil, "a `FAULT` to inject, such as F11:node=pve2 (repeatable)")

	var ro SimReplayOptions
	replay := &cobra.Command{Use: "replay DIR...", Short: "Replay recorded exchanges and compare", Args: cobra.MinimumNArgs(1),
		Example: "  proxmox-mcp sim replay --min 97 recordings/02-cluster-and-node-reads",
		RunE: func(cmd *cobra.Command, args []string) error {
			ro.Dirs = args
			return p.SimReplay(cmd.Context(), ro, s.Out)
		}}
	replay.Flags().StringVar(&ro.Schema, "schema", "", "`FILE` with the API schema: the simulator checks parameters by it, and every recorded request is checked against it")
	replay.Flags().Float64Var(&ro.Min, "min", 0, "least agreement in `PERCENT`, of each scenario and of all")
	replay.Flags().StringSliceVar(&ro.Methods, "method", nil, "compare only exchanges of these `METHODS`")
	faults := &cobra.Command{Use: "faults", Short: "List the faults that sim serve --fault injects", Args: cobra.NoArgs,
		Example: "  proxmox-mcp sim faults\n  proxmox-mcp sim faults -o json",
		RunE:    func(*cobra.Command, []string) error { return printReport(s, *g, p.SimFaults()) }}
	sim.AddCommand(serve, replay, faults)
	return sim
}

func versionCommand(p Program, g *Globals, s Streams) *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print version, commit and Go version", Args: cobra.NoArgs, Example: "  proxmox-mcp version",
		RunE: func(*cobra.Command, []string) error { return printReport(s, *g, p.Version()) }}
}
