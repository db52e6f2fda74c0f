package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// addToolCommands makes a command of every tool: "guest list" becomes the verb list of the noun guest.
func addToolCommands(root *cobra.Command, p Program, g *Globals, s Streams) {
	nouns := map[string]*cobra.Command{}
	for _, spec := range tools.All() {
		if spec.Command == "sync" {
			continue // the command of that name waits for the end, where the tool answers that it runs
		}
		cmd := toolCommand(spec, p, g, s)
		noun, verb, nested := strings.Cut(spec.Command, " ")
		if !nested {
			cmd.Use, cmd.GroupID = useLine(noun, spec), groupAsk
			root.AddCommand(cmd)
			continue
		}
		cmd.Use = useLine(verb, spec)
		if nouns[noun] == nil {
			nouns[noun] = &cobra.Command{Use: noun, Short: nounShorts[noun], GroupID: groupAsk,
				Args: cobra.ArbitraryArgs, RunE: bareNoun, DisableFlagsInUseLine: true}
			root.AddCommand(nouns[noun])
		}
		nouns[noun].AddCommand(cmd)
	}
}

// nounShorts say what the commands of a noun do; plan has its own.
var nounShorts = map[string]string{
	"access":    "What the token may do, which tools work with it, and what is missing",
	"backup":    "List backups, prove that one restores, get a file out of one",
	"cluster":   "The configured clusters",
	"code":      "The cluster as code: export, compare, check, plan, apply",
	"container": "Create containers",
	"guest":     "VMs and containers: find, look into, run, change, copy, move, save, delete",
	"history":   "What changed in the cluster, and older configurations",
	"image":     "Download images and templates for new guests",
	"log":       "Journals of nodes, and this program's own log",
	"metric":    "Figures of guests, nodes and storages over time",
	"network":   "Bridges, VLANs and SDN, with the guests on them",
	"node":      "List nodes, look into one, drain it, wake it",
	"operation": "What was done, refused or approved through this program",
	"plan":      "Look at planned changes, approve or reject them",
	"pool":      "Create, fill, empty and delete pools",
	"recovery":  "What a guest can be brought back from",
	"storage":   "Storages, their state and fill",
	"task":      "Tasks of Proxmox VE: list, look into, end",
	"vm":        "Create VMs",
	"volume":    "Disks, images and backups on storages: list, delete",
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

func toolCommand(spec tools.Spec, p Program, g *Globals, s Streams) *cobra.Command {
	short, _, _ := strings.Cut(asCommands(spec.Summary), ";")
	cmd := &cobra.Command{
		Short: strings.TrimSuffix(short, "."), Long: long(spec), Example: examples(spec),
		Args: positional(spec), ValidArgsFunction: completeArgs(spec, p, g),
	}
	flags := toolFlags(cmd, spec)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		raw, err := arguments(spec, args, flags, g.Output)
		if err != nil {
			return err
		}
		return callTool(cmd.Context(), spec, raw, p, *g, s)
	}
	return cmd
}

// long is the summary and what the arguments are.
func long(spec tools.Spec) string {
	parts := []string{asCommands(spec.Summary)}
	for _, in := range spec.Inputs(tools.Caller{}) {
		if slices.Contains(spec.Args, in.Name) && in.Desc != "" {
			parts = append(parts, strings.ToUpper(in.Name)+": "+help(in))
		}
	}
	return strings.Join(parts, "\n\n")
}

func examples(spec tools.Spec) string {
	var b strings.Builder
	for _, e := range spec.Examples {
		fmt.Fprintf(&b, "  proxmox-mcp %-49s  # %s\n", e.CLI, e.Why)
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
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < required {
			return fmt.Errorf("%s is missing", strings.ToUpper(spec.Args[len(args)]))
		}
		if words(spec) {
			return nil
		}
		return cobra.MaximumNArgs(len(spec.Args))(cmd, args)
	}
}

// words says that the last argument is a list whose entries hold commas: it takes the words that follow.
func words(spec tools.Spec) bool {
	return len(spec.Args) > 0 && slices.ContainsFunc(spec.Inputs(tools.Caller{}), func(i tools.Input) bool { return i.Name == spec.Args[len(spec.Args)-1] && i.Type == "array" && i.Lines })
}

// arguments makes the tool's JSON input out of flags, words and the output that programs read; the Spec checks it, as for every door.
func arguments(spec tools.Spec, args []string, flags map[string]*input, output string) (json.RawMessage, error) {
	in := map[string]any{}
	if slices.Contains([]string{"json", "yaml"}, output) && slices.ContainsFunc(spec.Inputs(tools.Caller{}), func(i tools.Input) bool { return i.Name == "format" }) {
		in["format"] = "json"
	}
	for name, value := range flags {
		if value.text != "" {
			in[name] = value.text
		}
	}
	for i, name := range spec.Args {
		if i >= len(args) {
			break
		}
		in[name] = args[i]
		switch {
		case name == "query":
			in[name] = strings.Join(args[i:], " ")
		case i == len(spec.Args)-1 && words(spec):
			in[name] = args[i:]
		}
	}
	return json.Marshal(in)
}

// settle is how long a command that has answered stays for the sync that its question set off: long enough for a full one of some
// thousand guests, short enough for whoever waits for the prompt. A longer one goes on at the next command, or in a server.
const settle = 10 * time.Second

func callTool(ctx context.Context, spec tools.Spec, raw json.RawMessage, p Program, g Globals, s Streams) error {
	if err := spec.Check(raw); err != nil {
		return err
	}
	session, err := p.Open(ctx, g)
	if err != nil {
		return err
	}
	open := true
	defer func() {
		if open {
			_ = session.Close()
		}
	}()
	answer, err := conduct(ctx, spec, raw, session, s)
	if err != nil {
		return err
	}
	view := answer.View(session.Deps)
	if _, terminalErr := terminal(s, "", ""); waits(answer) != "" && terminalErr == nil {
		id := waits(answer)
		open = false
		return errors.Join(session.Close(), decideNow(ctx, p, g, s, id, answer, view))
	}
	if err := printAnswer(s, g, answer, view); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	sent(waiting, session, answer)
	session.Settle(waiting)
	if err := outcome(answer); err != nil {
		return err
	}
	return partial(view)
}

// conduct makes one call with what a person at a terminal gets: progress, and a question where the change has one.
func conduct(ctx context.Context, spec tools.Spec, raw json.RawMessage, session Session, s Streams) (tools.Answer, error) {
	bar := newProgress(s.Err)
	defer bar.done()
	session.Deps.Progress = func(done, total float64, text string) { bar.update(text, int(done), int(total)) }
	_, terminalErr := terminal(s, "", "")
	// Who types plan apply or code apply has read the plan; everybody else at a terminal is asked.
	session.Deps.Who.Elicits = terminalErr == nil && spec.Name != "apply_plan" && spec.Name != "apply_code"
	answer, err := ask(ctx, spec, raw, session, bar)
	if plan, question := asks(answer); err == nil && question != "" {
		bar.done()
		return agreed(ctx, spec, raw, session, s, plan, answer)
	}
	return answer, err
}

// ask calls the tool. A server answers with what there is while its first sync is under way; a command waits for that sync, and code for the
// settings that it is written from.
func ask(ctx context.Context, spec tools.Spec, raw json.RawMessage, session Session, bar *progress) (tools.Answer, error) {
	if err := session.Complete(ctx, bar.update); err != nil {
		return nil, err
	}
	if spec.Family == "code" && session.Settings != nil {
		if err := session.Settings(ctx, bar.update); err != nil {
			return nil, err
		}
	}
	res, err := spec.Call(ctx, session.Deps, raw)
	if err != nil {
		return nil, err
	}
	return res.Answer, nil
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
