// Package docs carries the pages of this folder that users read, so that the program can hand them out.
package docs

import (
	"embed"
	"io/fs"
)

//go:embed authorization.md changes.md code.md configuration.md creating.md http.md queries.md recipes.md security-model.md troubleshooting.md
var pages embed.FS

// Page is one page.
type Page struct {
	Name  string // its file without .md
	Title string // what it is about, in a few words
}

// Pages lists the pages in the order in which somebody new reads them.
func Pages() []Page {
	return []Page{
		{"queries", "Search grammar of guests"},
		{"changes", "Plans, approval, apply, undo"},
		{"creating", "Creating machines and containers"},
		{"authorization", "Who may change what, and who approves"},
		{"code", "Clusters as Terraform and Ansible"},
		{"recipes", "Your own prompts and recipes"},
		{"configuration", "Configuration file and environment"},
		{"http", "Serving over HTTP: tokens, OAuth, TLS, limits"},
		{"security-model", "What is protected, by what, and where that ends"},
		{"troubleshooting", "Each error code: what it means, what helps"},
	}
}

// Read gives a page's Markdown; fs.ErrNotExist for a name that is not on the list.
func Read(name string) (string, error) {
	for _, p := range Pages() {
		if p.Name == name {
			b, err := fs.ReadFile(pages, name+".md")
			return string(b), err
		}
	}
	return "", fs.ErrNotExist
}
