package config

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// Code is where and how clusters are kept as code. The zero value writes below the store's folder, when asked.
type Code struct {
	Folder string // absolute, "" = code/CLUSTER beside the store; with several clusters each has a folder of its name in it
	Git    string // none, init or commit, where an export does not say
	Follow bool   // write again after each synchronisation that changed something, where code was exported before
	// Parts are what is written beside guests and pools: infrastructure, firewall, access (who may do what), guests (Ansible's playbook of them).
	Parts []string
	// Emitters are programs on PATH (proxmox-mcp-emit-NAME) that make files of the model, by their NAMEs.
	Emitters []string
	// Terraform is the program that plans: terraform, tofu or a path; "" = tofu or terraform, whichever is on PATH.
	Terraform string
}

type rawCode struct {
	folder, git, follow, terraform setting
	parts, emitters                settings
}

// DefaultCode is what counts where the configuration says nothing.
func DefaultCode() Code { return Code{Git: "none", Parts: slices.Clone(codeParts[:2])} }

// codeParts are those that Parts may hold; the first two are written unless the configuration says otherwise.
var codeParts = []string{"infrastructure", "firewall", "access", "guests"}

func (r *reader) code(c *rawCode) func(spot, ast.Node) {
	return func(at spot, n ast.Node) {
		r.mapping(at, n, fields{"folder": r.text(&c.folder), "git": r.text(&c.git), "follow": r.text(&c.follow), "terraform": r.text(&c.terraform),
			"parts": r.list(&c.parts, true), "emitters": r.list(&c.emitters, true)})
	}
}

func (l *loader) code(raw rawCode) Code {
	c := Code{Git: l.oneOf(raw.git, "none", "none", "init", "commit"), Follow: l.boolean(raw.follow, false), Terraform: raw.terraform.text}
	if raw.folder.set {
		c.Folder = l.opts.expand(raw.folder.text, l.baseDir)
	}
	c.Parts = DefaultCode().Parts
	switch {
	case raw.parts.set && len(raw.parts.items) == 1 && raw.parts.items[0].text == "none":
		c.Parts = nil
	case raw.parts.set:
		c.Parts = l.each(raw.parts, func(p string) (string, string) {
			if !slices.Contains(codeParts, p) {
				return "", "must be one of " + strings.Join(codeParts, ", ") + ", or none alone"
			}
			return p, ""
		})
	}
	c.Emitters = l.each(raw.emitters, func(name string) (string, string) {
		if !emitterName().MatchString(name) {
			return "", "must be the NAME of a program proxmox-mcp-emit-NAME: letters, digits and dashes"
		}
		return name, ""
	})
	return c
}

// emitterName can be part of a file's name and of a program's.
var emitterName = lazy.Regexp(`^[a-z][a-z0-9-]{0,30}$`)
