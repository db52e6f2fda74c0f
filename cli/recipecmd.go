package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// RecipeOptions are those of `recipe run`.
type RecipeOptions struct {
	Name   string
	Args   map[string]string
	DryRun bool
}

// RecipeStep is one call of a recipe that was made, or left out.
type RecipeStep struct {
	Tool   string          `json:"tool"`
	Args   json.RawMessage `json:"args,omitempty"`
	Answer tools.Answer    `json:"answer,omitempty"`
	Skip   string          `json:"skipped,omitempty"` // why it was left out
}

// RecipeCall makes one call of a recipe.
type RecipeCall func(ctx context.Context, spec tools.Spec, args json.RawMessage) (tools.Answer, error)

// Recipes is what the commands of recipes need; app implements it.
type Recipes interface {
	// RecipeList names the owner's recipes and prompts, and the files that were left out.
	RecipeList(g Globals) (Report, error)
	RecipeShow(g Globals, name string) (Report, error)
	RecipeNames(g Globals) []string
	// RecipeRun makes the calls in order; next hears of each and ends the run with an error.
	RecipeRun(ctx context.Context, g Globals, o RecipeOptions, call RecipeCall, next func(RecipeStep) error) error
}

func recipeCommand(p Program, g *Globals, s Streams) *cobra.Command {
	root := &cobra.Command{Use: "recipe", Short: "Run your own recipes: several calls in order", Args: cobra.ArbitraryArgs, RunE: bareNoun, DisableFlagsInUseLine: true,
		Long: `Recipes are YAML files in the folder prompts.d beside the configuration: several calls of tools, with arguments, where a later one may use
what an earlier one answered. MCP clients are offered them as prompts. docs/recipes.md shows how to write one.`}
	list := &cobra.Command{Use: "list", Short: "List recipes and own prompts, and files that are left out with the reason", Args: cobra.NoArgs, Example: "  proxmox-mcp recipe list",
		RunE: func(*cobra.Command, []string) error {
			return report(s, *g)(p.RecipeList(*g))
		}}
	names := func(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return matching(p.RecipeNames(*g), typed), cobra.ShellCompDirectiveNoFileComp
	}
	show := &cobra.Command{Use: "show NAME", Short: "Show a recipe's arguments and calls", Args: cobra.ExactArgs(1), Example: "  proxmox-mcp recipe show look-around", ValidArgsFunction: names,
		RunE: func(_ *cobra.Command, args []string) error {
			return report(s, *g)(p.RecipeShow(*g, args[0]))
		}}
	root.AddCommand(list, show, recipeRunCommand(p, g, s, names))
	return root
}

func recipeRunCommand(p Program, g *Globals, s Streams, names cobra.CompletionFunc) *cobra.Command {
	var o RecipeOptions
	var args []string
	cmd := &cobra.Command{Use: "run NAME", Short: "Run a recipe", Args: cobra.ExactArgs(1), ValidArgsFunction: names,
		Long: `Makes the calls of a recipe in order. Each change obeys the same policy as if it were called by itself: it is planned, may ask here or wait for
the owner, and is written down. The run ends at the first call that fails or waits.`,
		Example: "  proxmox-mcp recipe run look-around --arg node=pve1\n  proxmox-mcp recipe run look-around --dry-run",
		RunE: func(cmd *cobra.Command, words []string) error {
			o.Name, o.Args = words[0], map[string]string{}
			for _, a := range args {
				name, value, ok := strings.Cut(a, "=")
				if !ok {
					return usageError{fmt.Errorf("--arg %s: it is NAME=VALUE", a)}
				}
				o.Args[name] = value
			}
			return runRecipe(cmd.Context(), p, *g, s, o)
		}}
	cmd.Flags().StringArrayVar(&args, "arg", nil, "an argument, as `NAME=VALUE`; may be given several times")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "read, and plan what can be planned; change nothing")
	return cmd
}

func runRecipe(ctx context.Context, p Program, g Globals, s Streams, o RecipeOptions) error {
	session, err := p.Open(ctx, g)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	var done []RecipeStep
	programs := g.Output == "json" || g.Output == "yaml"
	err = p.RecipeRun(ctx, g, o, func(ctx context.Context, spec tools.Spec, raw json.RawMessage) (tools.Answer, error) {
		answer, err := conduct(ctx, spec, raw, session, s)
		if _, alone := terminal(s, "", ""); err == nil && !o.DryRun && alone == nil && waits(answer) != "" {
			return decided(ctx, p, g, s, session, answer)
		}
		return answer, err
	}, func(d RecipeStep) error {
		done = append(done, d)
		if !programs {
			if err := printStep(s, g, session, len(done), d); err != nil {
				return err
			}
		}
		return stepOutcome(ctx, session, d, o.DryRun)
	})
	if programs && len(done) > 0 {
		if perr := printAnswer(s, g, done, tools.View{}); err == nil {
			err = perr
		}
	}
	waiting, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	session.Settle(waiting)
	return err
}

// decided lets the one at the terminal approve what a step left waiting, as a command by itself does, and is then how the plan ended. Enter
// leaves it waiting, which ends the run.
func decided(ctx context.Context, p Program, g Globals, s Streams, session Session, answer tools.Answer) (tools.Answer, error) {
	if err := writeView(s.Err, answer.View(session.Deps), width(s.Err), false); err != nil {
		return nil, err
	}
	id, bar := waits(answer), newProgress(s.Err)
	r, err := p.Approve(ctx, g, ApproveOptions{ID: id, Shown: true}, person(ctx, s, bar))
	bar.done()
	switch {
	case errors.Is(err, ErrLeft):
		return answer, nil
	case err != nil:
		return nil, err
	case r.Failed:
		return nil, errors.Join(ErrFailed, writeView(s.Err, r.View, width(s.Err), false))
	}
	spec, err := tools.Find("get_plan")
	if err != nil {
		return nil, err
	}
	res, err := spec.Call(ctx, session.Deps, json.RawMessage(`{"plan":"`+id+`"}`))
	return res.Answer, err
}

// stepOutcome is the error that ends a run after a change that did not end well, or waits. What was only planned has not ended badly.
func stepOutcome(ctx context.Context, session Session, d RecipeStep, dry bool) error {
	spec, err := tools.Find(d.Tool)
	if err != nil || d.Answer == nil || dry || spec.Tier == tools.R0 {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	sent(waiting, session, d.Answer)
	return outcome(d.Answer)
}

func printStep(s Streams, g Globals, session Session, n int, d RecipeStep) error {
	head := fmt.Sprintf("%d. %s %s", n, d.Tool, d.Args)
	if d.Skip != "" {
		_, err := fmt.Fprintf(s.Out, "%d. %s: left out: %s\n\n", n, d.Tool, d.Skip)
		return err
	}
	if _, err := fmt.Fprintln(s.Out, head); err != nil {
		return err
	}
	if err := printAnswer(s, g, d.Answer, d.Answer.View(session.Deps)); err != nil {
		return err
	}
	_, err := fmt.Fprintln(s.Out)
	return err
}
