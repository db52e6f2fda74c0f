package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Manuals are the manual pages of all commands by file name (proxmox-mcp-guest-list.1), in roff, made from what --help says. They name no
// version and no date, so that they change only where a command does.
func Manuals() map[string]string {
	out := map[string]string{}
	root := tree()
	for _, c := range below(root) {
		out[manualName(c)+".1"] = manual(c, root)
	}
	return out
}

// Completions are the completion scripts by the file names that shells look for.
func Completions() (map[string]string, error) {
	root := tree()
	out := map[string]string{}
	for name, write := range map[string]func(io.Writer) error{
		"proxmox-mcp.bash": func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"_proxmox-mcp":     root.GenZshCompletion,
		"proxmox-mcp.fish": func(w io.Writer) error { return root.GenFishCompletion(w, true) },
		"proxmox-mcp.ps1":  root.GenPowerShellCompletionWithDesc,
	} {
		var b strings.Builder
		if err := write(&b); err != nil {
			return nil, err
		}
		out[name] = b.String()
	}
	return out, nil
}

// tree is the command tree without a program behind it: it can be read, and runs nothing.
func tree() *cobra.Command {
	root, _ := newRoot(nil, Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	root.InitDefaultCompletionCmd()
	return root
}

// below are a command and all that are under it, in order.
func below(c *cobra.Command) []*cobra.Command {
	out := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			out = append(out, below(sub)...)
		}
	}
	return out
}

func manualName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func manual(c, root *cobra.Command) string {
	m := &page{}
	m.line(".TH %s 1 \"\" \"proxmox-mcp\" \"proxmox-mcp\"", strings.ToUpper(manualName(c)))
	m.line(".SH NAME\n%s \\- %s", roff(manualName(c)), roff(c.Short))
	m.line(".SH SYNOPSIS\n.B %s", roff(c.UseLine()))
	m.line(".SH DESCRIPTION")
	if c.Long == "" {
		m.text(c.Short + ".")
	} else {
		m.text(c.Long)
	}
	m.commands(c)
	m.flags("OPTIONS", c.NonInheritedFlags())
	if c == root {
		m.places()
	}
	if c.Example != "" {
		m.line(".SH EXAMPLES\n.nf\n%s\n.fi", roff(c.Example))
	}
	if c.HasParent() {
		m.line(".SH SEE ALSO\n.BR %s (1)", roff(manualName(c.Parent())))
	}
	return m.b.String()
}

type page struct{ b strings.Builder }

func (m *page) line(format string, args ...any) { fmt.Fprintf(&m.b, format+"\n", args...) }

// text writes paragraphs; where a text breaks its lines on purpose (lists), the breaks stay.
func (m *page) text(s string) {
	for k, para := range strings.Split(strings.TrimSpace(s), "\n\n") {
		if k > 0 {
			m.line(".PP")
		}
		m.line("%s", roff(para))
	}
}

func (m *page) commands(c *cobra.Command) {
	subs := slices.DeleteFunc(slices.Clone(c.Commands()), func(s *cobra.Command) bool { return !s.IsAvailableCommand() || s.Name() == "help" })
	if len(subs) == 0 {
		return
	}
	m.line(".SH COMMANDS")
	for _, s := range subs {
		m.line(".TP\n.BR %s (1)\n%s", roff(manualName(s)), roff(s.Short))
	}
}

func (m *page) flags(title string, set *pflag.FlagSet) {
	if !set.HasAvailableFlags() {
		return
	}
	m.line(".SH %s", title)
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		m.line(".TP\n\\fB%s\\fR \\fI%s\\fR\n%s", roff(name), roff(value), roff(usage))
	})
}

// places are the sections that concern all commands; docs/configuration.md has more of them.
func (m *page) places() {
	m.line(`.SH FILES
.TP
.I ~/.config/proxmox-mcp/config.yaml
Clusters and rules; below XDG_CONFIG_HOME where that is set. Mode 0600, as it holds a token.
.TP
.I ~/.local/state/proxmox-mcp/state.db
What was read, planned and done; below XDG_STATE_HOME where that is set.
.SH ENVIRONMENT
.TP
.BR PROXMOX_VE_ENDPOINT ", " PROXMOX_VE_API_TOKEN ", " PROXMOX_VE_FINGERPRINT ", " PROXMOX_VE_INSECURE
A cluster in place of those of the file, by the names that Terraform's provider uses.
.TP
.BR PROXMOX_MCP_CONFIG ", " PROXMOX_MCP_STATE
As \-\-config and \-\-state.`)
}

// roff makes a text stand for itself.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for k, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[k] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
