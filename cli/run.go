package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
)

// Streams are what a command reads and writes; tests hand in buffers.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// ErrPartial ends a command that answered, but not completely (some nodes silent, some parts stale beyond use): exit code 3.
var ErrPartial = errors.New("the answer is partial")

// ErrFailed ends a command whose report says that something failed and was printed already: exit code 1.
var ErrFailed = errors.New("the report names failures")

// errInterrupted ends a command that was broken off by a signal.
var errInterrupted = fault.New(fault.Cancelled, "interrupted")

// usageError is a command line that cannot be understood: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// ExitCode maps what ended a command to the process's exit code:
//
//	0 ok · 1 error, a change that failed, or a fault that a check of our own found · 2 usage · 3 partial answer · 4 denied by policy, or by who was asked · 5 a plan was made
//	and waits for plan apply or an operator · 6 a comparison found differences · 7 timeout, unknown outcome, or a change that has not ended · 8 stale: the guest changed
//	since it was planned · 130 interrupted
func ExitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrPartial):
		return 3
	case errors.Is(err, errNotApplied):
		return 5
	case errors.Is(err, errDiffers):
		return 6
	case errors.Is(err, errNotEnded):
		return 7
	case fault.CodeOf(err) == fault.Stale:
		return 8
	case errors.As(err, &usage), fault.CodeOf(err) == fault.Invalid:
		return 2
	case fault.CodeOf(err) == fault.Timeout, fault.CodeOf(err) == fault.UnknownOutcome:
		return 7
	case fault.CodeOf(err) == fault.Denied:
		return 4
	case fault.CodeOf(err) == fault.Cancelled:
		return 130
	}
	return 1
}

// Run runs one command line and returns the exit code; errors are printed once, here. A ctx that ends means that the user or the
// system wants the command to end.
func Run(ctx context.Context, p Program, args []string, s Streams) int {
	err := execute(ctx, p, args, s)
	if err != nil && ctx.Err() != nil {
		// Whatever the parts made of it: the cause is the signal.
		err = errInterrupted
	}
	if err != nil && !told(err) {
		printError(s.Err, err)
	}
	return ExitCode(err)
}

// execute runs the command tree. The bare "serve" that MCP clients start goes without it: they wait for the first tools/list, and to
// build and search the tree costs a twentieth of that time.
func execute(ctx context.Context, p Program, args []string, s Streams) error {
	if len(args) == 1 && args[0] == "serve" {
		return p.Serve(ctx, defaults(), ServeOptions{In: s.In}, s.Out, s.Err)
	}
	root, g := newRoot(p, s)
	if at := slices.IndexFunc(args, func(a string) bool { return a == cobra.ShellCompRequestCmd || a == cobra.ShellCompNoDescRequestCmd }); at >= 0 {
		completions(root, args[at+1:], p, g)
	}
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// defaults are the global flags where none is given.
func defaults() Globals {
	return Globals{ConfigPath: os.Getenv("PROXMOX_MCP_CONFIG"), StatePath: os.Getenv("PROXMOX_MCP_STATE"), Output: "table", NoColor: os.Getenv("NO_COLOR") != ""}
}

// The groups of commands in the help.
const (
	groupAsk     = "ask"
	groupDecide  = "decide"
	groupRun     = "run"
	groupSetUp   = "setup"
	groupDevelop = "develop"
)

func newRoot(p Program, s Streams) (*cobra.Command, *Globals) {
	g := new(defaults())
	version := false
	root := &cobra.Command{
		Use:   "proxmox-mcp",
		Short: "Ask Proxmox VE clusters, from an AI agent or a terminal",
		Long: `proxmox-mcp answers questions about Proxmox VE clusters: as an MCP server for AI agents (serve) and as a command line.
Every tool of the server is a command here, with the same inputs.

Exit codes: 0 ok, 1 error, a change that failed, or a fault that doctor, db check or audit verify found, 2 usage, 3 partial answer (a node is
silent), 4 not allowed or not agreed to, 5 a plan waits for plan apply or an operator, 6 code diff, check, verify or plan found differences,
7 timeout, outcome unknown or not ended yet, 8 stale plan, 130 interrupted. What lists problems (health, guest diagnose) ends with 0 or 3.`,
		Example: `  proxmox-mcp demo                                   # try everything on a simulated cluster
  proxmox-mcp setup                                  # connect your own cluster and your MCP clients
  proxmox-mcp overview
  proxmox-mcp guest list 'state:running cpu>50' -o json`,
		SilenceErrors: true, SilenceUsage: true, Args: cobra.ArbitraryArgs, DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if version && len(args) == 0 {
				return printReport(s, *g, p.Version())
			}
			return bareNoun(cmd, args)
		},
	}
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetFlagErrorFunc(flagError)
	root.Flags().BoolVar(&version, "version", false, "print version, commit and Go version")
	globalFlags(root, g)
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return checkGlobals(g) }
	root.AddGroup(&cobra.Group{ID: groupAsk, Title: "Ask and change:"}, &cobra.Group{ID: groupDecide, Title: "Decide what is changed:"},
		&cobra.Group{ID: groupRun, Title: "Run:"},
		&cobra.Group{ID: groupSetUp, Title: "Set up:"}, &cobra.Group{ID: groupDevelop, Title: "Develop:"})
	root.SetCompletionCommandGroupID(groupSetUp)
	root.SetHelpCommandGroupID(groupSetUp)
	addToolCommands(root, p, g, s)
	addCommands(root, p, g, s)
	usageErrors(root)
	return root, g
}

func globalFlags(root *cobra.Command, g *Globals) {
	pf := root.PersistentFlags()
	pf.StringVar(&g.ConfigPath, "config", g.ConfigPath, "configuration `FILE`, also PROXMOX_MCP_CONFIG")
	pf.StringVar(&g.StatePath, "state", g.StatePath, "state database `FILE` or postgres://..., also PROXMOX_MCP_STATE")
	pf.StringVar(&g.LogLevel, "log-level", "", "`LEVEL` of the log on standard error: "+strings.Join(logLevels, ", ")+" (default: that of the configuration, else warn)")
	pf.StringVarP(&g.Output, "output", "o", g.Output, "`FORMAT`: "+strings.Join(outputFormats, ", ")+"; csv and jsonl: a list's rows with plain values (bytes, seconds); name: what other commands take")
	pf.BoolVar(&g.NoColor, "no-color", g.NoColor, "no colour, also NO_COLOR")
	// These fail for flags that do not exist only.
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputFormats, cobra.ShellCompDirectiveNoFileComp))
	pf.StringVar(&g.LogFile, "log-file", "", "write the log to `FILE` as well, put aside by size and age (log.file of the configuration)")
	_ = root.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions(logLevels, cobra.ShellCompDirectiveNoFileComp))
}

var logLevels = []string{"debug", "info", "warn", "error"}

func checkGlobals(g *Globals) error {
	if err := oneOf("output", g.Output, outputFormats); err != nil {
		return err
	}
	if g.LogLevel == "" {
		return nil
	}
	return oneOf("log-level", g.LogLevel, logLevels)
}

func oneOf(flag, value string, allowed []string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return usageError{fmt.Errorf("--%s %.40q: must be one of %s%s", flag, value, strings.Join(allowed, ", "), suggest(value, allowed))}
}

// suggest is "; did you mean x?", "" where nothing is near.
func suggest(value string, known []string) string {
	if n := near.Word(value, known); n != "" {
		return "; did you mean " + n + "?"
	}
	return ""
}

// bareNoun runs a command that has only subcommands: alone it prints its help; a word behind it is a subcommand that does not exist.
func bareNoun(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			names = append(names, sub.Name())
		}
	}
	hint := suggest(args[0], names)
	if hint == "" && cmd.HasParent() {
		hint = "; there are " + strings.Join(names, ", ")
	}
	return usageError{fmt.Errorf("unknown command %.40q for %q%s\nsee: %s --help", args[0], cmd.CommandPath(), hint, cmd.CommandPath())}
}

// flagError says what was meant by a flag that does not exist, and that of a subcommand first: cobra reads the flags of "gest list
// --limit 3" as those of the root.
func flagError(cmd *cobra.Command, err error) error {
	if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
		return bareNoun(cmd, words)
	}
	hint := ""
	if e, ok := errors.AsType[interface {
		error
		GetSpecifiedName() string
	}](err); ok {
		if names := flagNames(cmd); !slices.Contains(names, e.GetSpecifiedName()) {
			hint = strings.Replace(suggest(e.GetSpecifiedName(), names), "mean ", "mean --", 1)
		}
	}
	return usageError{fmt.Errorf("%w%s\nsee: %s --help", err, hint, cmd.CommandPath())}
}

// usageErrors marks the argument errors of cobra as usage errors.
func usageErrors(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{fmt.Errorf("%w\nsee: %s --help", err, cmd.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		usageErrors(sub)
	}
}
