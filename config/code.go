package config

import "github.com/goccy/go-yaml/ast"

// Code is where and how clusters are kept as code. The zero value writes below the store's folder, when asked.
type Code struct {
	Folder string // absolute, "" = code/CLUSTER beside the store; with several clusters each has a folder of its name in it
	Git    string // none, init or commit, where an export does not say
	Follow bool   // write again after each synchronisation that changed something, where code was exported before
	// Terraform is the program that plans: terraform, tofu or a path; "" = tofu or terraform, whichever is on PATH.
	Terraform string
}

type rawCode struct{ folder, git, follow, terraform setting }

func (r *reader) code(c *rawCode) func(spot, ast.Node) {
	return func(at spot, n ast.Node) {
		r.mapping(at, n, fields{"folder": r.text(&c.folder), "git": r.text(&c.git), "follow": r.text(&c.follow), "terraform": r.text(&c.terraform)})
	}
}

func (l *loader) code(raw rawCode) Code {
	c := Code{Git: l.oneOf(raw.git, "none", "none", "init", "commit"), Follow: l.boolean(raw.follow, false), Terraform: raw.terraform.text}
	if raw.folder.set {
		c.Folder = l.opts.expand(raw.folder.text, l.baseDir)
	}
	return c
}
