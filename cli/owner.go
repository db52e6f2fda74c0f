package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Owner are the commands of the one who owns the cluster: what is allowed, what is approved, and the emergency stop.
type Owner interface {
	// OperatorInit sets the operator's passphrase.
	OperatorInit(ctx context.Context, g Globals, t Terminal) error
	// Allowed says what is allowed now.
	Allowed(ctx context.Context, g Globals) (Report, error)
	// Allow opens a tier; it asks for the passphrase unless it takes everything away.
	Allow(ctx context.Context, g Globals, o AllowOptions, t Terminal) (Report, error)
	// Stop turns the emergency stop on, or off with the passphrase.
	Stop(ctx context.Context, g Globals, o StopOptions, t Terminal) (Report, error)
	// Approve shows a plan, asks for the ids of what is destroyed and the passphrase, applies it and follows it to its end.
	Approve(ctx context.Context, g Globals, o ApproveOptions, t Terminal) (Report, error)
	// Reject refuses a plan for good.
	Reject(ctx context.Context, g Globals, id, why string, t Terminal) (Report, error)
	// Watch follows a plan until it waits for nobody and nothing any more.
	Watch(ctx context.Context, g Globals, id string, t Terminal) (Report, error)
}

// AllowOptions are those of `allow` and `grant`. Empty scope fields mean everything.
type AllowOptions struct {
	Tier                           string
	None                           bool
	For                            time.Duration // 0 = until it is taken away
	Cluster, Node, Pool, Tag, VMID string
}

// StopOptions are those of `stop`.
type StopOptions struct {
	Off    bool
	For    time.Duration // 0 = until somebody ends it
	Reason string
}

// ApproveOptions are those of `plan approve`. Without an ID all plans that wait are listed.
type ApproveOptions struct {
	ID      string
	Browser bool // on a page of this machine instead of the terminal
	Shown   bool // the plan was shown just now, by the command that made it; an empty answer leaves it waiting (ErrLeft)
}

// Terminal is a person at a terminal. Secret and Ask fail where there is none; Out takes what is said beside the answer.
type Terminal struct {
	Secret   func(prompt string) (string, error)
	Ask      func(prompt string) (string, error)
	Out      io.Writer
	Progress func(text string, done, total int)
}

// Say writes a line.
func (t Terminal) Say(format string, args ...any) { _, _ = fmt.Fprintf(t.Out, format+"\n", args...) }

// duration reads "90m", "8h", "2d".
func duration(flag, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d < time.Minute || d > 366*24*time.Hour {
		return 0, fault.BadField(flag, "must be a time from 1m to 366d", "8h")
	}
	return d, nil
}

func ownerCommands(p Program, g *Globals, s Streams) []*cobra.Command {
	operator := &cobra.Command{Use: "operator", Short: "The passphrase of who approves and allows", Args: cobra.ArbitraryArgs, RunE: bareNoun, DisableFlagsInUseLine: true}
	operator.AddCommand(&cobra.Command{Use: "init", Short: "Set the operator's passphrase, or another one", Args: cobra.NoArgs, Example: "  proxmox-mcp operator init",
		Long: `Asks on the terminal, without echo, for the passphrase that allow, grant and plan approve ask for. The state database keeps its argon2id
hash. Where a passphrase was set, the old one is asked for first.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.OperatorInit(cmd.Context(), *g, person(cmd.Context(), s, nil))
		}})
	return []*cobra.Command{operator, allowCommand(p, g, s), grantCommand(p, g, s), stopCommand(p, g, s), auditCommand(p, g, s), secretCommand(p, g, s), tokenCommand(p, g, s)}
}

func allowCommand(p Program, g *Globals, s Streams) *cobra.Command {
	var o AllowOptions
	var limit string
	cmd := &cobra.Command{Use: "allow [TIER]", Short: "Say what may be changed: nothing, reversible, disruptive, destructive or host", Args: cobra.MaximumNArgs(1),
		Long: `Allows changes up to a tier, everywhere within the configuration's rules, and asks for the operator's passphrase. Running servers notice.
reversible: start, snapshot, tags. disruptive: stop, reboot, configuration. destructive: destroy, roll back. host: nodes, cluster, access.
Disruptive changes still ask the client's user; destructive ones wait for plan approve. Without TIER it says what is allowed.`,
		Example:   "  proxmox-mcp allow\n  proxmox-mcp allow disruptive --for 8h\n  proxmox-mcp allow --none",
		ValidArgs: tiers,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if len(args) > 0 {
				o.Tier = args[0]
			}
			if o.None && o.Tier != "" {
				return usageError{fmt.Errorf("give a tier or --none, not both")}
			}
			if o.For, err = duration("for", limit); err != nil {
				return err
			}
			if o.Tier == "" && !o.None {
				return report(s, *g)(p.Allowed(cmd.Context(), *g))
			}
			return report(s, *g)(p.Allow(cmd.Context(), *g, o, person(cmd.Context(), s, nil)))
		}}
	cmd.Flags().StringVar(&limit, "for", "", "for a `TIME` such as 30m, 8h or 2d (default: until it is taken away)")
	cmd.Flags().BoolVar(&o.None, "none", false, "take away all that is allowed; asks for nothing")
	return cmd
}

func grantCommand(p Program, g *Globals, s Streams) *cobra.Command {
	var o AllowOptions
	var limit string
	cmd := &cobra.Command{Use: "grant", Short: "Allow a tier for a part of the guests only", Args: cobra.NoArgs,
		Long:    "Allows changes up to a tier for guests that fit all that is given, and asks for the operator's passphrase. proxmox-mcp allow shows it, allow --none takes it away.",
		Example: "  proxmox-mcp grant --pool lab --tier destructive --for 2h\n  proxmox-mcp grant --vmid 200-299 --tier disruptive",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Cluster+o.Node+o.Pool+o.Tag+o.VMID == "" {
				return usageError{fmt.Errorf("give at least one of --cluster, --node, --pool, --tag and --vmid; proxmox-mcp allow is for everything")}
			}
			if o.For, err = duration("for", limit); err != nil {
				return err
			}
			return report(s, *g)(p.Allow(cmd.Context(), *g, o, person(cmd.Context(), s, nil)))
		}}
	f := cmd.Flags()
	f.StringVar(&o.Tier, "tier", "", "`TIER`: reversible, disruptive, destructive or host")
	f.StringVar(&limit, "for", "", "for a `TIME` such as 30m, 8h or 2d (default: until it is taken away)")
	f.StringVar(&o.Cluster, "cluster", "", "guests of this cluster, by its `NAME` in the configuration")
	f.StringVar(&o.Node, "node", "", "guests on the `NODE`")
	f.StringVar(&o.Pool, "pool", "", "guests in the `POOL`")
	f.StringVar(&o.Tag, "tag", "", "guests with the `TAG`")
	f.StringVar(&o.VMID, "vmid", "", "guests by `NUMBERS` and ranges, such as 105,200-210")
	_ = cmd.MarkFlagRequired("tier") // fails for flags that do not exist only
	return cmd
}

func stopCommand(p Program, g *Globals, s Streams) *cobra.Command {
	var o StopOptions
	var limit string
	cmd := &cobra.Command{Use: "stop", Short: "Emergency stop: nothing is changed any more, whatever is allowed", Args: cobra.NoArgs,
		Long: `Makes all servers and commands of this user, and those that share the state database, read-only within a second. It asks for nothing and lasts
until stop --off, which asks for the operator's passphrase, or as long as --for says. What runs in Proxmox VE already goes on. A file named
"stop" beside allowed.json does the same, and so does the signal SIGUSR1 to a server.`,
		Example: "  proxmox-mcp stop --for 1h --reason 'odd things happen'\n  proxmox-mcp stop --off",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.For, err = duration("for", limit); err != nil {
				return err
			}
			return report(s, *g)(p.Stop(cmd.Context(), *g, o, person(cmd.Context(), s, nil)))
		}}
	cmd.Flags().BoolVar(&o.Off, "off", false, "end it; asks for the operator's passphrase")
	cmd.Flags().StringVar(&limit, "for", "", "for a `TIME` such as 30m, 8h or 2d (default: until stop --off)")
	cmd.Flags().StringVar(&o.Reason, "reason", "", "a `TEXT` that those read whose changes are refused")
	return cmd
}

// report prints what a command answered.
func report(s Streams, g Globals) func(Report, error) error {
	return func(r Report, err error) error {
		if err != nil {
			return err
		}
		return printReport(s, g, r)
	}
}
