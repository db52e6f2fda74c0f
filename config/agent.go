package config

import (
	"slices"

	"github.com/goccy/go-yaml/ast"

	"github.com/proxmox-mcp/proxmox-mcp/internal/argv"
)

// Agent is what may be done through guest agents beyond reading. The zero value allows nothing.
type Agent struct{ Exec Exec }

// Exec is what may be run in guests: commands by rule, in guests with a tag.
type Exec struct {
	Allow []argv.Rule
	Tag   string // "" where Allow is empty
}

// defaultExecTag is the tag that a guest needs unless the configuration names another.
const defaultExecTag = "mcp-exec"

type rawAgent struct {
	allow settings
	tag   setting
}

func (r *reader) agent(a *rawAgent) func(spot, ast.Node) {
	return func(at spot, n ast.Node) {
		r.mapping(at, n, fields{"exec": func(at spot, n ast.Node) {
			r.mapping(at, n, fields{"allow": r.list(&a.allow, false), "tag": r.text(&a.tag)})
		}})
	}
}

func (l *loader) agent(raw rawAgent) Agent {
	var x Exec
	for _, item := range raw.allow.items {
		rule, err := argv.Parse(item.text)
		if err != nil {
			l.add(item.at, "%s, such as systemctl status *", err)
			continue
		}
		x.Allow = append(x.Allow, rule)
	}
	switch {
	case raw.tag.set && !isTag(raw.tag.text):
		l.add(raw.tag.at, "must be a tag: small letters, digits and - _ . +, such as %s", defaultExecTag)
	case raw.tag.set && len(raw.allow.items) == 0:
		l.add(raw.tag.at, "allows nothing without agent.exec.allow")
	case len(x.Allow) > 0:
		x.Tag = defaultExecTag
		if raw.tag.set {
			x.Tag = raw.tag.text
		}
	}
	return Agent{Exec: x}
}

// isTag says whether a text is a tag as Proxmox VE writes it (schema: pve-tag).
func isTag(s string) bool {
	return s != "" && !slices.ContainsFunc([]byte(s), func(c byte) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' && c != '+'
	})
}
