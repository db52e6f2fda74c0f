// Package docs carries the pages of this folder that users read, so that the program can hand them out.
package docs

import (
	"embed"
	"io/fs"
)

//go:embed authorization.md changes.md code.md configuration.md creating.md faults.md first-steps.md http.md install.md queries.md recipes.md
//go:embed security-model.md telemetry.md tools.md troubleshooting.md
var pages embed.FS

// Page is one page.
type Page struct {
	Name  string // its file without .md
	Title string // what it is about, in a few words
	Minor bool   // it is reached from another page, and left out of lists
}

// Pages lists the pages in the order in which somebody new reads them.
func Pages() []Page {
	return []Page{
		{Name: "queries", Title: "Search grammar of guests"},
		{Name: "changes", Title: "Plans, approval, apply, undo"},
		{Name: "creating", Title: "Creating machines and containers"},
		{Name: "authorization", Title: "Who may change what, and who approves"},
		{Name: "code", Title: "Clusters as Terraform and Ansible"},
		{Name: "recipes", Title: "Your own prompts and recipes"},
		{Name: "configuration", Title: "Configuration file and environment"},
		{Name: "http", Title: "Serving over HTTP: tokens, OAuth, TLS, limits"},
		{Name: "security-model", Title: "What is protected, by what, and where that ends"},
		{Name: "troubleshooting", Title: "Each error code: what it means, what helps"},
		{Name: "tools", Title: "Every tool and command, with inputs and examples", Minor: true},
		{Name: "first-steps", Title: "From nothing to a first answer", Minor: true},
		{Name: "install", Title: "Ways to install, and running as a service", Minor: true},
		{Name: "telemetry", Title: "Metrics, traces, logs, alerts", Minor: true},
		{Name: "faults", Title: "What each answer is under each fault", Minor: true},
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
