package config

import (
	"github.com/goccy/go-yaml/ast"

	"github.com/proxmox-mcp/proxmox-mcp/internal/globs"
)

// Backups is what may be read out of backups beyond the names of files. The zero value allows nothing.
type Backups struct{ Files []globs.Rule }

type rawBackups struct{ files settings }

func (r *reader) backups(b *rawBackups) func(spot, ast.Node) {
	return func(at spot, n ast.Node) { r.mapping(at, n, fields{"files": r.list(&b.files, false)}) }
}

func (l *loader) backups(raw rawBackups) (b Backups) {
	for _, item := range raw.files.items {
		rule, err := globs.Parse(item.text)
		if err != nil {
			l.add(item.at, "%s, such as /etc/*.conf or /srv/**", err)
			continue
		}
		b.Files = append(b.Files, rule)
	}
	return b
}
