package terraform

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
)

// maxCell is how long a text of the cluster may be in the report.
const maxCell = 80

// maxUnread is how long the list of what was not read may be; that of all areas has 140 characters.
const maxUnread = 600

// always says what is compared of no guest.
const always = "Of no guest the power state is compared (`started`), but of templates, which are never started: an apply must neither start nor stop one. Of no container are `vm_id` and the timeouts, which an import leaves unset."

// everywhere are the paths of which always tells.
func everywhere(path string) bool {
	return path == "started" || path == "vm_id" || strings.HasPrefix(path, "timeout_")
}

// coverageFile is COVERAGE.md: what of each object is in the code, what is not compared and why, and what no attribute holds.
func (x *export) coverageFile() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# What the Terraform code of %s covers\n\nWritten for the provider bpg/proxmox %s. Keys that are not named are in the code and compared by every plan.\n\n%s\n",
		cell(x.Cluster), x.rel.version, always)
	x.leftOut(&b)
	x.neverRead(&b)
	for i := range x.result.Coverage {
		if c := &x.result.Coverage[i]; c.Status == iac.Written {
			section(&b, c)
		}
	}
	return b.Bytes()
}

// leftOut lists what is not in the code at all.
func (x *export) leftOut(b *bytes.Buffer) {
	const head = "\n## Not in the code\n\n| object | name | status | why |\n| --- | --- | --- | --- |\n"
	first := len(x.result.Absent) == 0
	if !first {
		b.WriteString(head)
	}
	for _, a := range x.result.Absent {
		fmt.Fprintf(b, "| %s | | %s | %s |\n", iac.Things(a.N, a.Kind), iac.LeftOut, cell(a.Why))
	}
	for i := range x.result.Coverage {
		c := &x.result.Coverage[i]
		if c.Status == iac.Written {
			continue
		}
		if first {
			b.WriteString(head)
			first = false
		}
		id := cell(string(c.Kind) + " " + c.ID)
		if c.Status == iac.GivenUp {
			id = cell(c.Address)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", id, cell(c.Name), c.Status, cell(c.Why))
	}
}

// neverRead lists what may be in the cluster and was not looked at.
func (x *export) neverRead(b *bytes.Buffer) {
	if len(x.Unread) == 0 {
		return
	}
	b.WriteString("\n## Not read\n\nWhether there is any of it is not known. An export after it was read (`proxmox-mcp sync`) brings it in.\n\n")
	for _, l := range x.Unread.Lines() {
		fmt.Fprintf(b, "- %s\n", escaper.Replace(clean.Line(l, maxUnread)))
	}
}

// section tells of one object; one of which all is compared needs none.
func section(b *bytes.Buffer, c *iac.Coverage) {
	n := map[iac.How]int{}
	for _, k := range c.Keys {
		n[k.How]++
	}
	ignored := slices.DeleteFunc(slices.Clone(c.Ignored), func(i iac.IgnoredPath) bool { return everywhere(i.Path) })
	if n[iac.Unrepresented]+len(ignored) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n`%s`: %d keys compared, %d at the provider's default, %d not represented.\n",
		strings.TrimSpace(cell(string(c.Kind))+" "+cell(c.ID)+" "+cell(c.Name)), c.Address, n[iac.Kept], n[iac.Default], n[iac.Unrepresented])
	if len(ignored) > 0 {
		b.WriteString("\n| not compared | why |\n| --- | --- |\n")
		for _, i := range ignored {
			fmt.Fprintf(b, "| `%s` | %s |\n", i.Path, cell(i.Why))
		}
	}
	if n[iac.Unrepresented] > 0 {
		b.WriteString("\n| not represented | why |\n| --- | --- |\n")
		for _, k := range c.Keys {
			if k.How == iac.Unrepresented {
				fmt.Fprintf(b, "| %s | %s |\n", cell(k.Key), cell(k.Why))
			}
		}
	}
}

// escaper takes their meaning from the characters of Markdown and HTML.
var escaper = strings.NewReplacer("\\", "\\\\", "|", "\\|", "`", "\\`", "*", "\\*", "_", "\\_", "<", "&lt;", ">", "&gt;", "[", "\\[", "]", "\\]", "#", "\\#")

// cell is a text of the cluster as plain text of one line.
func cell(s string) string { return escaper.Replace(clean.Line(s, maxCell)) }
