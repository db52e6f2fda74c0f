package checks

import (
	"fmt"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/terraform"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

const (
	liveModule = "terraform/tests/live/main.tf"
	liveDrift  = "terraform/tests/drift.tftest.hcl"
	liveHealth = "terraform/tests/health.tftest.hcl"
)

// tftest writes tests for `terraform test`. They plan only, and assert on data sources alone: an assertion on a resource compares code with
// code (facts: terraform-ansible.md 15), and an apply of a test would end by destroying what it imported. The provider's data source of
// containers tells neither name nor tags, so that these are left to the other checks.
func tftest(w *iac.World) (files []iac.File, n int) {
	module, drift, health := &terraform.Body{}, &terraform.Body{}, &terraform.Body{}
	module.Block("terraform").Block("required_providers").Set("proxmox", []terraform.Named{{Name: "source", Value: "bpg/proxmox"}})
	asDeclared, runs := run(drift, "as_declared"), run(health, "runs_as_declared")
	for _, g := range readable(w) {
		if g.Type != pve.Qemu {
			continue
		}
		name := fmt.Sprintf("vm_%d", g.VMID)
		d := module.Block("data", "proxmox_vm", name)
		d.Set("id", g.VMID)
		d.Set("node_name", g.Node)
		at := "data.proxmox_vm." + name
		for _, c := range conditions(g, at) {
			n++
			assert(asDeclared, g, c[0], c[1])
		}
		n++
		assert(runs, g, "status", at+".status == "+terraform.String(running(g.Status)))
	}
	if n == 0 {
		return nil, 0
	}
	return []iac.File{{Path: liveModule, Data: module.Render()}, {Path: liveDrift, Data: drift.Render()}, {Path: liveHealth, Data: health.Render()}}, n
}

func run(file *terraform.Body, name string) *terraform.Body {
	r := file.Block("run", name)
	r.Set("command", terraform.Ref("plan"))
	r.Block("module").Set("source", "./tests/live")
	return r
}

// conditions are what a guest declares and the data source tells, by the name of the field.
func conditions(g *iac.Guest, at string) [][2]string {
	var out [][2]string
	if g.Config.Str("name") != "" {
		out = append(out, [2]string{"name", at + ".name == " + terraform.String(g.Config.Str("name"))})
	}
	for _, key := range []string{"cores", "sockets"} {
		if n, ok := g.Config.Int(key); ok {
			out = append(out, [2]string{key, fmt.Sprintf("%s.cpu.%s == %d", at, key, n)})
		}
	}
	if len(g.Tags) > 0 {
		var tags []string
		for _, t := range g.Tags {
			tags = append(tags, terraform.String(t))
		}
		out = append(out, [2]string{"tags", at + ".tags == toset([" + strings.Join(tags, ", ") + "])"})
	}
	return out
}

func assert(r *terraform.Body, g *iac.Guest, field, condition string) {
	b := r.Block("assert")
	b.Set("condition", terraform.Ref(condition))
	b.Set("error_message", fmt.Sprintf("vm %d: %s is not as declared", g.VMID, field))
}
