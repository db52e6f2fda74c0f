package tools

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Reference is the reference page of all tools in Markdown, made from the table; docs/tools.md is it and a test keeps it so.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Tools\n\nGenerated from the tool table (`UPDATE_GOLDEN=1 go test ./tools`); do not edit.\n\n" +
		"Every tool is an MCP tool and a command. All answers carry `as_of` and `age_s`, and `warnings` where something is missing; `format: json` gives the whole answer as\n" +
		"structured content (`-o json` on the command line). `cluster` is an input only where several clusters are configured.\n" +
		"Times are spans (`2h`, `7d`), days (`today`, `yesterday`, `tuesday`, `2026-11-20`) or days with a time (`yesterday 21:00`, `tuesday 9pm`), in the configured zone. A day begins\n" +
		"where it is a `since` and ends where it is an `until` or an `at`.\n")
	b.WriteString("\nFamilies, which bound what a server offers and what a token reaches ([http.md](http.md)):\n\n")
	for _, f := range Families() {
		fmt.Fprintf(&b, "- `%s`: %s\n", f, strings.Join(namesIn(f), ", "))
	}
	for _, s := range All() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\nCommand: `proxmox-mcp %s`\n\n", s.Name, s.Summary, s.Command)
		b.WriteString("| input | type | what |\n|---|---|---|\n")
		for _, in := range s.Inputs(Caller{MultiCluster: true}) {
			name := in.Name
			if in.Required {
				name += " (required)"
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, in.Type, strings.ReplaceAll(in.Help(), "|", `\|`))
		}
		b.WriteString("\n")
		for _, e := range s.Examples {
			args, _ := json.Marshal(e.Args) // maps of plain values always encode
			fmt.Fprintf(&b, "- %s: `proxmox-mcp %s`, as a tool `%s`\n", e.Why, e.CLI, args)
		}
	}
	return b.String()
}

// namesIn are the tools of a family.
func namesIn(family string) []string {
	var out []string
	for _, s := range All() {
		if s.Family == family {
			out = append(out, s.Name)
		}
	}
	return out
}
