package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// addToolCommands makes a command of every tool: "guest list" becomes the verb list of the noun guest.
func addToolCommands(root *cobra.Command, p Program, g *Globals, s Streams) {
	nouns := map[string]*cobra.Command{}
	multi := p.MultiCluster(*g)
	for _, spec := range tools.All() {
		cmd := toolCommand(spec, p, g, s, multi)
		noun, verb, nested := strings.Cut(spec.Command, " ")
		if !nested {
			cmd.Use = useLine(noun, spec)
			root.AddCommand(cmd)
			continue
		}
		cmd.Use = useLine(verb, spec)
		if nouns[noun] == nil {
			nouns[noun] = &cobra.Command{Use: noun, Short: "Commands about " + noun + "s", Args: cobra.NoArgs}
			root.AddCommand(nouns[noun])
		}
		nouns[noun].AddCommand(cmd)
	}
}

func useLine(verb string, spec tools.Spec) string {
	for _, a := range spec.Args {
		if spec.Required(a) {
			verb += " " + strings.ToUpper(a)
		} else {
			verb += " [" + strings.ToUpper(a) + "]"
		}
	}
	return verb
}

func toolCommand(spec tools.Spec, p Program, g *Globals, s Streams, multi bool) *cobra.Command {
	cmd := &cobra.Command{
		Short: strings.TrimSuffix(spec.Title, "."), Long: spec.Summary, Example: examples(spec),
		Args: positional(spec), ValidArgsFunction: completeGuests(spec, p, g),
	}
	flags := map[string]*string{}
	for _, in := range spec.Inputs(tools.Caller{MultiCluster: multi}) {
		// -o chooses the format here; the input exists for models.
		if in.Name == "format" || slices.Contains(spec.Args, in.Name) {
			continue
		}
		name := strings.ReplaceAll(in.Name, "_", "-")
		flags[in.Name] = cmd.Flags().String(name, "", in.Help())
		if in.Type == "boolean" {
			cmd.Flags().Lookup(name).NoOptDefVal = "true"
		}
		if len(in.Enum) > 0 {
			_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(in.Enum, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		raw, err := arguments(spec, args, flags)
		if err != nil {
			return err
		}
		return callTool(cmd.Context(), spec, raw, p, *g, s)
	}
	return cmd
}

func examples(spec tools.Spec) string {
	var b strings.Builder
	for _, e := range spec.Examples {
		fmt.Fprintf(&b, "  proxmox-mcp %-50s # %s\n", e.CLI, e.Why)
	}
	return strings.TrimRight(b.String(), "\n")
}

// positional counts arguments: the last one of a query takes the words that follow, so that quotes are optional.
func positional(spec tools.Spec) cobra.PositionalArgs {
	if slices.Contains(spec.Args, "query") {
		return cobra.ArbitraryArgs
	}
	required := 0
	for _, a := range spec.Args {
		if spec.Required(a) {
			required++
		}
	}
	return cobra.RangeArgs(required, len(spec.Args))
}

// arguments makes the tool's JSON input out of flags and words; the Spec checks it, as for every door.
func arguments(spec tools.Spec, args []string, flags map[string]*string) (json.RawMessage, error) {
	in := map[string]string{}
	for name, value := range flags {
		if *value != "" {
			in[name] = *value
		}
	}
	for i, name := range spec.Args {
		if i >= len(args) {
			break
		}
		in[name] = args[i]
		if name == "query" {
			in[name] = strings.Join(args[i:], " ")
		}
	}
	return json.Marshal(in)
}

func callTool(ctx context.Context, spec tools.Spec, raw json.RawMessage, p Program, g Globals, s Streams) error {
	session, err := p.Open(ctx, g)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	bar := newProgress(s.Err)
	session.Deps.Progress = func(done, total float64, text string) { bar.update(text, int(done), int(total)) }
	res, err := spec.Call(ctx, session.Deps, raw)
	bar.done()
	if err != nil {
		return err
	}
	view := res.Answer.View(session.Deps)
	if err := printAnswer(s, g, res.Answer, view); err != nil {
		return err
	}
	return partial(view)
}

// partial says whether warnings make the answer incomplete; a warning about age or scope alone does not.
func partial(v tools.View) error {
	for _, w := range v.Warnings {
		switch w.Code {
		case "node_silent", "partial", "unreachable", "loading", "odd_data":
			return ErrPartial
		}
	}
	return nil
}

// completeGuests completes the guest argument from the local store: no API call, no wait.
func completeGuests(spec tools.Spec, p Program, g *Globals) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if !slices.Contains(spec.Args, "guest") || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		session, err := p.Open(cmd.Context(), *g)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer func() { _ = session.Close() }()
		names, err := session.GuestNames(cmd.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return matching(names, toComplete), cobra.ShellCompDirectiveNoFileComp
	}
}

// matching keeps the candidates whose id or name begins with what was typed; a typed name completes to the name.
func matching(names []string, typed string) []string {
	var out []string
	for _, n := range names {
		id, name, _ := strings.Cut(n, "\t")
		switch {
		case strings.HasPrefix(id, typed):
			out = append(out, n)
		case typed != "" && strings.HasPrefix(name, typed):
			out = append(out, name+"\t"+id)
		}
	}
	return out
}
