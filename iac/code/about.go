package code

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
)

// The parts of README.md.
const (
	readmeHead = `# Cluster %s as code

Written by proxmox-mcp from the live cluster. Edit what you like: your comments, attributes and files are kept when it is written again
(` + "`proxmox-mcp code export`" + `), and where you and the cluster both changed the same, your text stays and you are told.
`
	readmeTerraform = `
## Terraform or OpenTofu

    cd terraform
    export PROXMOX_VE_ENDPOINT=https://node:8006 PROXMOX_VE_API_TOKEN='user@realm!id=secret'
    terraform init && terraform plan

The first plan says "N to import, 0 to add, 0 to change, 0 to destroy"; anything else is drift, and ` + "`proxmox-mcp code check`" + ` says why.
` + "`terraform apply`" + ` then takes the objects into the state and changes nothing. The token needs the role that ` + "`proxmox-mcp doctor`" + ` prints.

State lies in ` + "`terraform/terraform.tfstate`" + ` until you configure a backend. It holds ssh keys and passwords' hashes: keep it out of git
(` + "`.gitignore`" + ` does) and readable for you alone, or use OpenTofu's state encryption.
COVERAGE.md says for each guest what is not in the code, and why.
`
	readmeAnsible = `
## Ansible

    cd ansible
    ansible-inventory --graph
    ansible-playbook playbooks/verify.yml
`
	readmeChecks = `
## Checks

What is declared, in three forms, none of which changes anything:

    proxmox-mcp code verify .                  # tests/spec.json against the cluster, without another program
    goss -g tests/goss.yaml validate           # the same by asking the API
    cd terraform && terraform test             # terraform/tests, which plan and look at data sources only
`
	readmeDocs   = "\n## Documentation\n\n`docs/INVENTORY.md` is the cluster for people: topology, guests by node, storages, networks. It is written again with each export.\n"
	readmePulumi = "\n## Pulumi\n\n`pulumi/pulumi-import.json` lists guests and pools for `pulumi import --file pulumi-import.json` (pulumi-proxmoxve 8); experimental.\n"
	readmeTail   = "\n`.proxmox-mcp/` remembers what was generated, to tell it from your edits: keep it beside the code, in git too.\n"
)

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
	fmt.Fprintf(&b, readmeHead, iac.Name(j.cluster, "cluster"))
	for _, part := range [][2]string{{"terraform", readmeTerraform}, {"ansible", readmeAnsible}, {"checks", readmeChecks}, {"docs", readmeDocs}, {"pulumi", readmePulumi}} {
		_, there := j.folder.Manifest.Targets[part[0]]
		if there || slices.ContainsFunc(j.emitters, func(e iac.Emitter) bool { return e.Name() == part[0] }) {
			b.WriteString(part[1])
		}
	}
	b.WriteString(readmeTail)
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
