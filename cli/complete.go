package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// NameKind says what an argument names.
type NameKind string

// What can be completed. A guest is "104\tjellyfin", an object a guest, node or storage.
const (
	NameGuest   NameKind = "guest"
	NameNode    NameKind = "node"
	NameStorage NameKind = "storage"
	NamePool    NameKind = "pool"
	NameTag     NameKind = "tag"
	NameCluster NameKind = "cluster"
	NameToken   NameKind = "token"
	NameObject  NameKind = "object"
)

// kindOf is what an input or flag of that name takes, "" where it names nothing that is known.
func kindOf(name string) NameKind {
	switch k := NameKind(name); k {
	case NameGuest, NameNode, NameStorage, NamePool, NameTag, NameCluster, NameObject:
		return k
	}
	if name == "target" {
		return NameNode
	}
	return ""
}

// completeArgs completes the arguments of a tool: values that are listed, folders, and names from the local store, without an API call.
func completeArgs(spec tools.Spec, p Program, g *Globals) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(spec.Args) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		name := spec.Args[len(args)]
		if name == "folder" {
			return nil, cobra.ShellCompDirectiveFilterDirs
		}
		for _, in := range spec.Inputs(tools.Caller{Level: tools.R4}) {
			if in.Name == name && len(in.Enum) > 0 {
				return matching(in.Enum, typed), cobra.ShellCompDirectiveNoFileComp
			}
		}
		return completeNames(p, g, kindOf(name))(cmd, args, typed)
	}
}

// completeNames completes with the names of a kind that the local store holds, never with files.
func completeNames(p Program, g *Globals, kind NameKind) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		if kind == "" {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names, err := p.Names(cmd.Context(), *g, kind)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return matching(names, typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFirst completes the only argument of a command.
func completeFirst(p Program, g *Globals, kind NameKind) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			kind = ""
		}
		return completeNames(p, g, kind)(cmd, args, typed)
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

// filesAreOurs are the words for values that are files or folders: shells complete these by themselves.
var filesAreOurs = []string{"FILE", "DIR", "DIR..."}

// completions gives the command that is typed what completes nothing yet its names, and keeps files away from where none is taken. It is for
// that command alone: somebody waits for the answer.
func completions(root *cobra.Command, typed []string, p Program, g *Globals) {
	c := root
	for _, word := range typed {
		if k := slices.IndexFunc(c.Commands(), func(sub *cobra.Command) bool { return sub.Name() == word }); k >= 0 {
			c = c.Commands()[k]
		}
	}
	takesFile := slices.ContainsFunc(strings.Fields(c.Use), func(w string) bool { return slices.Contains(filesAreOurs, w) })
	if c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 && !c.HasSubCommands() && !takesFile {
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if word, _ := pflag.UnquoteUsage(f); !slices.Contains(filesAreOurs, word) {
			_ = c.RegisterFlagCompletionFunc(f.Name, completeNames(p, g, kindOf(f.Name))) // one that is there stays
		}
	})
}
