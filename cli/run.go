package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
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

// usageError is a command line that cannot be understood: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// ExitCode maps what ended a command to the process's exit code:
//
//	0 ok · 1 error · 2 usage · 3 partial answer · 7 timeout or unknown outcome · 130 interrupted
//
// (4 denied by policy, 5 needs approval and 6 drift found are reserved for the commands that change and compare.)
func ExitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrPartial):
		return 3
	case errors.As(err, &usage), fault.CodeOf(err) == fault.Invalid:
		return 2
	case fault.CodeOf(err) == fault.Timeout, fault.CodeOf(err) == fault.UnknownOutcome:
		return 7
	case fault.CodeOf(err) == fault.Cancelled:
		return 130
	}
	return 1
}

// Run runs one command line and returns the exit code; errors are printed once, here.
func Run(ctx context.Context, p Program, args []string, s Streams) int {
	root := newRoot(p, s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !errors.Is(err, ErrPartial) && !errors.Is(err, ErrFailed) {
		printError(s.Err, err)
	}
	return ExitCode(err)
}

func printError(w io.Writer, err error) {
	var usage usageError
	if errors.As(err, &usage) {
		_, _ = fmt.Fprintf(w, "error: %s\n", strings.TrimSpace(usage.Error()))
		return
	}
	_, _ = fmt.Fprintln(w, tools.ErrorText(err))
}

func newRoot(p Program, s Streams) *cobra.Command {
	g := &Globals{}
	root := &cobra.Command{
		Use:   "proxmox-mcp",
		Short: "Ask Proxmox VE clusters, from an AI agent or a terminal",
		Long: `proxmox-mcp answers questions about Proxmox VE clusters: as an MCP server for AI agents (serve) and as a command line.
Every tool of the server is a command here, with the same inputs.`,
		Example: `  proxmox-mcp demo                                   try everything on a simulated cluster
  proxmox-mcp init                                   connect your own cluster
  proxmox-mcp overview
  proxmox-mcp guest list 'state:running cpu>50' -o json`,
		SilenceErrors: true, SilenceUsage: true, Args: cobra.NoArgs,
	}
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\nsee: %s --help", err, c.CommandPath())}
	})
	pf := root.PersistentFlags()
	pf.StringVar(&g.ConfigPath, "config", os.Getenv("PROXMOX_MCP_CONFIG"), "configuration file")
	pf.StringVar(&g.StatePath, "state", os.Getenv("PROXMOX_MCP_STATE"), "state database file")
	pf.StringVar(&g.LogLevel, "log-level", "", "debug, info, warn or error (default warn)")
	pf.StringVarP(&g.Output, "output", "o", "table", "table, json, jsonl, yaml, csv or name")
	pf.BoolVar(&g.NoColor, "no-color", os.Getenv("NO_COLOR") != "", "no colour, also NO_COLOR")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputFormats, cobra.ShellCompDirectiveNoFileComp))
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return checkGlobals(g) }
	addToolCommands(root, p, g, s)
	addCommands(root, p, g, s)
	usageErrors(root)
	return root
}

func checkGlobals(g *Globals) error {
	if err := oneOf("output", g.Output, outputFormats); err != nil {
		return err
	}
	if g.LogLevel == "" {
		return nil
	}
	return oneOf("log-level", g.LogLevel, []string{"debug", "info", "warn", "error"})
}

func oneOf(flag, value string, allowed []string) error {
	for _, a := range allowed {
		if a == value {
			return nil
		}
	}
	msg := fmt.Sprintf("--%s %.40q: must be one of %s", flag, value, strings.Join(allowed, ", "))
	if n := tools.Nearest(value, allowed); n != "" {
		msg += fmt.Sprintf("; did you mean %s?", n)
	}
	return usageError{errors.New(msg)}
}

// usageErrors marks the argument errors of cobra as usage errors, and makes bare nouns ("guest") print their help.
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
