package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// input is the text of a flag that the Spec decodes and checks, as it does for every door; kind is what the help shows behind
// the flag's name.
type input struct{ text, kind, sep string }

// String implements pflag.Value.
func (i *input) String() string { return i.text }

// Set implements pflag.Value. A list can be given in several flags.
func (i *input) Set(s string) error {
	if i.text != "" && i.sep != "" {
		s = i.text + i.sep + s
	}
	i.text = s
	return nil
}

// Type implements pflag.Value.
func (i *input) Type() string { return i.kind }

// kinds are the words for the types of inputs in the help; pflag leaves out "bool".
var kinds = map[string]string{"boolean": "bool", "integer": "N", "number": "N", "array": "LIST", "string": "TEXT"}

// flagHelp says more than a model needs to read, whose tokens are counted.
var flagHelp = map[string]string{
	"limit":   "show at most this many, 1 to 500 (default 50); what is left out is named with the cursor that continues",
	"node":    "of the node of this name alone",
	"storage": "of the storage of this name alone",
	"cursor":  "continue a list: the cursor that the page before named; the query has to be the same",
	"fields":  "add these columns, by comma: ",
	"fresh":   "ask Proxmox VE now; without it the store answers when it is young enough, which takes no call",
	"cluster": "only this cluster, by its name in the configuration, where there are several",
	"wait_s":  "wait up to this many seconds for the task to end, 0 to 600",
}

// asCommands is a text of a tool for who types commands.
func asCommands(text string) string { return tools.Commanded(text, "") }

func help(in tools.Input) string {
	more, ok := flagHelp[in.Name]
	switch {
	case !ok && (in.Name == "tool" || in.Name == "steps"):
		return in.Help() // these take the names of tools
	case !ok:
		return asCommands(in.Help())
	case strings.HasSuffix(more, ": "):
		_, words, _ := strings.Cut(in.Desc, ": ")
		return more + strings.ReplaceAll(words, " ", ", ")
	}
	return more
}

// toolFlags makes a flag of each input that is no argument. -o chooses the format here; that input exists for models.
func toolFlags(cmd *cobra.Command, spec tools.Spec) map[string]*input {
	flags := map[string]*input{}
	for _, in := range spec.Inputs(tools.Caller{MultiCluster: true}) {
		if in.Name == "format" || slices.Contains(spec.Args, in.Name) {
			continue
		}
		name := strings.ReplaceAll(in.Name, "_", "-")
		flags[in.Name] = &input{kind: kinds[in.Type], sep: separator(in)}
		cmd.Flags().Var(flags[in.Name], name, help(in))
		if in.Type == "boolean" {
			cmd.Flags().Lookup(name).NoOptDefVal = "true"
		}
		if len(in.Enum) > 0 {
			_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(in.Enum, cobra.ShellCompDirectiveNoFileComp)) // fails for flags that do not exist only
		}
	}
	return flags
}

// separator parts the entries of a list, as the Spec does.
func separator(in tools.Input) string {
	switch {
	case in.Type != "array":
		return ""
	case in.Lines:
		return "\n"
	}
	return ","
}

// flagNames are the long names of all flags that a command takes.
func flagNames(cmd *cobra.Command) []string {
	var names []string
	for f := range strings.FieldsSeq(cmd.Flags().FlagUsages() + cmd.InheritedFlags().FlagUsages()) {
		if name, ok := strings.CutPrefix(f, "--"); ok {
			names = append(names, name)
		}
	}
	return names
}
