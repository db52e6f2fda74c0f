package code

import (
	"bytes"
	_ "embed"
	"slices"
	"strings"
	"text/template"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
)

//go:embed readme.tmpl
var readmeText string

// ignored are what must not be committed: state and plans hold keys and passwords' hashes (facts: terraform-ansible.md 17).
const ignored = `# Written by proxmox-mcp; your lines are kept.
*.tfstate
*.tfstate.*
*.tfplan
.terraform/
crash.log
crash.*.log
.vault*
`

const attributes = ".proxmox-mcp/** -diff linguist-generated\n"

// about are the files that explain and guard the folder. A person's own file of such a name is left alone without a word, but for a
// .gitignore that lets state through.
func (j *job) about() []iac.File {
	var b bytes.Buffer
	var kinds []string
	for t := range j.folder.Manifest.Targets {
		kinds = append(kinds, t)
	}
	for _, e := range j.emitters {
		kinds = append(kinds, e.Name())
	}
	has := func(name string) bool { return slices.Contains(kinds, name) }
	tmpl := template.Must(template.New("readme").Parse(readmeText))
	// The template is fixed and its data are plain values: it cannot fail.
	_ = tmpl.Execute(&b, map[string]any{"Cluster": iac.Name(j.cluster, "cluster"), "Terraform": has("terraform"), "Ansible": has("ansible"), "Checks": has("checks")})
	var out []iac.File
	for _, f := range []iac.File{{Path: "README.md", Data: b.Bytes()}, {Path: ".gitignore", Data: []byte(ignored)}, {Path: ".gitattributes", Data: []byte(attributes)}} {
		_, mine := j.folder.Manifest.Files[f.Path]
		raw, there, err := j.folder.Read(f.Path)
		if mine || err == nil && (!there || bytes.Equal(raw, f.Data)) {
			out = append(out, f)
			continue
		}
		if f.Path == ".gitignore" && !strings.Contains(string(raw), "tfstate") {
			j.out.Warnings = append(j.out.Warnings, "your .gitignore does not name *.tfstate and *.tfplan: state holds secrets, keep it out of git")
		}
	}
	return out
}
